"""The Celery app. PostgreSQL is the truth; Redis only wakes workers (DESIGN section 7)."""

import os

from celery import Celery
from celery.signals import worker_init

from sites.audit import actor

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "cloudadmin.settings")

app = Celery("cloudadmin")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@worker_init.connect
def name_the_worker(**_: object) -> None:
    """Before it forks: what a worker writes by itself is the worker's in the audit log."""
    actor.this_process = actor.WORKER
