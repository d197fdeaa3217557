"""The ASGI application that the web server runs."""

import os

from django.core.asgi import get_asgi_application

from cloudadmin.checks import refuse_unsafe_start
from deployments.api.body_limit import BodyLimit

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "cloudadmin.settings")

application = BodyLimit(get_asgi_application())
refuse_unsafe_start()
