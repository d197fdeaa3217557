"""The Celery app. PostgreSQL is the truth; Redis only wakes workers (DESIGN section 7)."""

import os

from celery import Celery
from celery.signals import beat_init, worker_init

from cloudadmin.checks import refuse_unsafe_start
from sites.audit import actor

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "cloudadmin.settings")

app = Celery("cloudadmin")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@worker_init.connect
def name_the_worker(**_: object) -> None:
    """Before it forks: what a worker writes by itself is the worker's in the audit log."""
    actor.this_process = actor.WORKER


@worker_init.connect
@beat_init.connect
def look_before(**kwargs: object) -> None:
    refuse_unsafe_start()
