"""Wiring of the project: settings, Celery, URLs, the door to AWS. No business rules."""

from cloudadmin.celery import app as celery_app

__all__ = ["celery_app"]
