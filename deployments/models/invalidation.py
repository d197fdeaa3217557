"""A CloudFront invalidation."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models

from sites.models import Site


class Invalidation(models.Model):
    """``caller_reference`` is derived from the row, so sending it twice makes one."""

    class Status(models.TextChoices):
        QUEUED = "queued", "Queued"
        IN_PROGRESS = "InProgress", "In progress"
        COMPLETED = "Completed", "Done"
        FAILURE = "failure", "Failed"
        MERGED = "merged", "Merged into another"

    ACTIVE: ClassVar = (Status.QUEUED, Status.IN_PROGRESS)

    site = models.ForeignKey(Site, on_delete=models.CASCADE, related_name="invalidations")
    paths = models.JSONField()
    status = models.CharField(max_length=20, choices=Status, default=Status.QUEUED)
    invalidation_id = models.CharField(max_length=100, blank=True)
    merged_into = models.ForeignKey(
        "self", on_delete=models.SET_NULL, null=True, blank=True, related_name="merged"
    )
    creator = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True
    )
    error_message = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    submitted_at = models.DateTimeField(null=True, blank=True)
    completed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-pk"]
        indexes: ClassVar = [
            models.Index(fields=["site", "-id"], name="invalidations_of_site"),
            models.Index(fields=["created_at"], name="invalidations_by_time"),
        ]

    def __str__(self) -> str:
        return ", ".join(self.paths[:3])

    @property
    def caller_reference(self) -> str:
        return f"cloudadmin-{self.pk}"
