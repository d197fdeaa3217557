"""The same done to many sites: what is asked, and how it went for each."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.conf import settings
from django.db import models

from sites.models import Operation, Site
from sites.models.lease import Leased


class BulkRun(Leased):
    """Worked through a few sites at a time, by one worker; a ``key`` makes one run of two."""

    class State(models.TextChoices):
        QUEUED = "queued", "Queued"
        IN_PROGRESS = "in_progress", "In progress"
        DONE = "success", "Done"
        CANCELLED = "inactive", "Stopped"

    ACTIVE = (State.QUEUED, State.IN_PROGRESS)

    key = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    act = models.CharField(max_length=40)
    options = models.JSONField(default=dict, help_text="What the act was asked with.")
    state = models.CharField(max_length=20, choices=State, default=State.QUEUED)
    creator = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True
    )
    next_look_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-pk"]
        indexes: ClassVar = [
            models.Index(
                fields=["id"],
                condition=models.Q(state__in=["queued", "in_progress"]),
                name="bulk_runs_under_way",
            )
        ]

    def __str__(self) -> str:
        return f"Run {self.pk}"


class BulkItem(models.Model):
    """One site of a run; its name is kept when the site is gone."""

    class State(models.TextChoices):
        QUEUED = "queued", "Queued"
        IN_PROGRESS = "in_progress", "In progress"
        SUCCESS = "success", "Done"
        SKIPPED = "inactive", "Skipped"
        FAILURE = "failure", "Failed"

    OVER = (State.SUCCESS, State.SKIPPED, State.FAILURE)

    run = models.ForeignKey(BulkRun, on_delete=models.CASCADE, related_name="items")
    site = models.ForeignKey(Site, on_delete=models.SET_NULL, null=True, related_name="bulk_items")
    site_name = models.CharField(max_length=120)
    state = models.CharField(max_length=20, choices=State, default=State.QUEUED)
    said = models.TextField(blank=True, help_text="How it went, in a sentence.")
    operation = models.ForeignKey(
        Operation, on_delete=models.SET_NULL, null=True, related_name="+", help_text="Waited for."
    )
    tries = models.PositiveSmallIntegerField(default=0)
    changed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["pk"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["run", "site"], name="one_item_per_site_of_a_run")
        ]
        indexes: ClassVar = [models.Index(fields=["run", "state"], name="bulk_items_by_state")]

    def __str__(self) -> str:
        return self.site_name
