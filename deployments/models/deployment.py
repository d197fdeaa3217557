"""One version of a site's files, and how far it got.

A deployment is served to everybody (``is_published``), or at an address of its own
(``is_previewed``), or not any more. ``release_number`` is its place in the edge index; it is
drawn when its turn to be indexed comes, so that whoever uploads for long blocks nobody.
"""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.contrib.postgres.indexes import GinIndex, OpClass
from django.db import models

from deployments.models.words import COLUMNS, Words
from sites.models import Site
from sites.models.lease import Leased


class Deployment(Leased):
    """``number`` counts per site, in the order in which deployments were asked for."""

    class State(models.TextChoices):
        QUEUED = "queued", "Queued"
        IN_PROGRESS = "in_progress", "In progress"
        SUCCESS = "success", "Done"
        FAILURE = "failure", "Failed"
        ERROR = "error", "Failed"
        INACTIVE = "inactive", "Inactive"

    ACTIVE = (State.QUEUED, State.IN_PROGRESS)
    FAILED = (State.FAILURE, State.ERROR)

    class Environment(models.TextChoices):
        PRODUCTION = "production", "Production"
        PREVIEW = "preview", "Preview"

    class Trigger(models.TextChoices):
        COMMAND = "command", "Command line"
        DASHBOARD = "dashboard", "Dashboard"
        API = "api", "API"
        PUSH = "push", "Push"
        ROLLBACK = "rollback", "Rollback"

    class Phase(models.TextChoices):
        SOURCE = "source", "Opening the source"
        UPLOAD = "upload", "Uploading"
        QUEUE = "queue", "Waiting for its turn"
        INDEX = "index", "Indexing"
        SETTLE = "settle", "Settling"
        FLIP = "flip", "Publishing"
        VERIFY = "verify", "Verifying"
        DONE = "done", "Done"

    site = models.ForeignKey(Site, on_delete=models.CASCADE, related_name="deployments")
    number = models.PositiveIntegerField()
    state = models.CharField(max_length=20, choices=State, default=State.QUEUED)
    phase = models.CharField(max_length=20, choices=Phase, default=Phase.UPLOAD)
    environment = models.CharField(
        max_length=20, choices=Environment, default=Environment.PRODUCTION
    )
    trigger = models.CharField(max_length=20, choices=Trigger, default=Trigger.COMMAND)
    is_published = models.BooleanField(default=False)
    is_previewed = models.BooleanField(default=False)
    label = models.CharField(
        max_length=63, blank=True, help_text="First label of a preview's host name."
    )
    expires_at = models.DateTimeField(null=True, blank=True, help_text="Of a preview.")
    source = models.CharField(max_length=500)
    ref = models.CharField("branch or tag", max_length=255, blank=True)
    sha = models.CharField("commit", max_length=64, blank=True)
    author = models.CharField(max_length=200, blank=True)
    description = models.CharField(max_length=500, blank=True)
    creator = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True
    )
    manifest = models.BinaryField(default=b"", help_text="Manifest.to_bytes()")
    release_number = models.PositiveIntegerField(
        null=True, blank=True, help_text="In the edge index; none before its turn has come."
    )
    generation = models.PositiveIntegerField(
        default=1, help_text="Of the edge index, when this deployment was prepared."
    )
    files = models.PositiveIntegerField(default=0)
    uploaded = models.PositiveIntegerField(default=0)
    unchanged = models.PositiveIntegerField(default=0)
    deleted = models.PositiveIntegerField(default=0)
    bytes = models.PositiveBigIntegerField(default=0, help_text="Bytes uploaded.")
    objects_total = models.PositiveIntegerField(default=0, help_text="Objects to upload.")
    bytes_total = models.PositiveBigIntegerField(default=0, help_text="Bytes to upload.")
    warnings = models.JSONField(default=list, blank=True, help_text="Sentences about the source.")
    allowed = models.JSONField(
        default=list, blank=True, help_text="Paths that look secret and were let through by name."
    )
    timings = models.JSONField(default=dict, blank=True, help_text="phase -> seconds")
    needs_attention = models.BooleanField(
        default=False, help_text="It failed, and no later one of the site has made up for it."
    )
    cancel_requested = models.BooleanField(default=False)
    idempotency_key = models.CharField(max_length=100, blank=True)
    error_message = models.TextField(blank=True)
    phase_until = models.DateTimeField(
        null=True, blank=True, help_text="When the settle time is over, or verification gives up."
    )
    created_at = models.DateTimeField(auto_now_add=True)
    published_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    pruned_at = models.DateTimeField(
        null=True, blank=True, help_text="Given up by retention; it cannot be published again."
    )
    objects_deleted_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-number"]
        # Lists go by the newest first; those of one site, of what is under way and of what failed
        # are a small part of all.
        indexes: ClassVar = [
            models.Index(fields=["site", "-id"], name="deployments_of_site"),
            models.Index(fields=["number", "-id"], name="deployments_by_number"),
            models.Index(fields=["created_at"], include=["state"], name="deployments_by_time"),
            models.Index(
                fields=["-id"],
                condition=models.Q(state__in=["queued", "in_progress"]),
                name="deployments_under_way",
            ),
            models.Index(
                fields=["-id"],
                condition=models.Q(state__in=["failure", "error"]),
                name="deployments_failed",
            ),
            models.Index(
                fields=["-id"],
                condition=models.Q(needs_attention=True),
                name="deployments_of_attention",
            ),
            models.Index(OpClass("sha", name="varchar_pattern_ops"), name="deployments_by_commit"),
            GinIndex(Words(*COLUMNS), name="deployments_by_word"),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["site", "number"], name="one_deployment_per_number"),
            models.UniqueConstraint(
                fields=["site"],
                condition=models.Q(is_published=True),
                name="one_published_deployment_per_site",
            ),
            models.UniqueConstraint(
                fields=["site", "label"],
                condition=models.Q(is_previewed=True),
                name="one_deployment_per_preview",
            ),
            models.UniqueConstraint(
                fields=["site", "release_number"], name="one_deployment_per_release"
            ),
            models.UniqueConstraint(
                fields=["site", "idempotency_key"],
                condition=~models.Q(idempotency_key=""),
                name="one_deployment_per_key",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.site} #{self.number}"
