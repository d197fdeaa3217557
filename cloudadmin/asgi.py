"""The ASGI application that the web server runs."""

import os

from django.core.asgi import get_asgi_application

from deployments.api.body_limit import BodyLimit

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "cloudadmin.settings")

application = BodyLimit(get_asgi_application())
