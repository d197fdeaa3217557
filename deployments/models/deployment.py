"""One version of a site's files, and how far it got."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models

from sites.models import Site
from sites.models.lease import Leased


class Deployment(Leased):
    """``number`` counts per site and is the release number in the edge index."""

    class State(models.TextChoices):
        QUEUED = "queued", "Queued"
        IN_PROGRESS = "in_progress", "In progress"
        SUCCESS = "success", "Success"
        FAILURE = "failure", "Failure"
        ERROR = "error", "Error"
        INACTIVE = "inactive", "Inactive"

    ACTIVE = (State.QUEUED, State.IN_PROGRESS)

    class Phase(models.TextChoices):
        UPLOAD = "upload", "Uploading"
        INDEX = "index", "Indexing"
        SETTLE = "settle", "Settling"
        FLIP = "flip", "Publishing"
        VERIFY = "verify", "Verifying"
        DONE = "done", "Done"

    site = models.ForeignKey(Site, on_delete=models.CASCADE, related_name="deployments")
    number = models.PositiveIntegerField()
    state = models.CharField(max_length=20, choices=State, default=State.QUEUED)
    phase = models.CharField(max_length=20, choices=Phase, default=Phase.UPLOAD)
    is_published = models.BooleanField(default=False)
    source = models.CharField(max_length=500)
    description = models.CharField(max_length=500, blank=True)
    creator = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True
    )
    manifest = models.BinaryField(default=b"", help_text="Manifest.to_bytes()")
    generation = models.PositiveIntegerField(
        default=1, help_text="Of the edge index, when this deployment was prepared."
    )
    files = models.PositiveIntegerField(default=0)
    uploaded = models.PositiveIntegerField(default=0)
    unchanged = models.PositiveIntegerField(default=0)
    deleted = models.PositiveIntegerField(default=0)
    bytes = models.PositiveBigIntegerField(default=0, help_text="Bytes uploaded.")
    error_message = models.TextField(blank=True)
    phase_until = models.DateTimeField(
        null=True, blank=True, help_text="When the settle time is over, or verification gives up."
    )
    created_at = models.DateTimeField(auto_now_add=True)
    published_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-number"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["site", "number"], name="one_deployment_per_number"),
            models.UniqueConstraint(
                fields=["site"],
                condition=models.Q(is_published=True),
                name="one_published_deployment_per_site",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.site} #{self.number}"
