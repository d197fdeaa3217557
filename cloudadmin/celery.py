"""The Celery app. PostgreSQL is the truth; Redis only wakes workers (DESIGN section 7)."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "cloudadmin.settings")

app = Celery("cloudadmin")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
