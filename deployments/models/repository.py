"""The git repository of a site, and what came in from where it lives."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models

from deployments.models.deployment import Deployment
from deployments.models.secret import SecretField
from sites.models import Site


class Repository(models.Model):
    """A push to it deploys ``folder`` of it. Building is the matter of a CI."""

    site = models.OneToOneField(Site, on_delete=models.CASCADE, related_name="repository")
    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    url = models.CharField(max_length=500, help_text="https or ssh, as for `git clone`.")
    full_name = models.CharField(
        "name at GitHub", max_length=200, blank=True, help_text="As in “owner/name”."
    )
    folder = models.CharField(
        max_length=300, blank=True, help_text="What to deploy of it; empty for all."
    )
    production_branch = models.CharField(max_length=255, default="main")
    preview_branches = ArrayField(
        models.CharField(max_length=255),
        default=list,
        blank=True,
        help_text="Patterns, as in “feature/*”; a push to one becomes a preview.",
    )
    has_submodules = models.BooleanField("fetch submodules", default=False)
    secret = SecretField(max_length=200, help_text="Signs the webhook.")
    status_token = SecretField(
        max_length=500, blank=True, default="", help_text="For commit statuses; GitHub's."
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name_plural = "repositories"

    def __str__(self) -> str:
        return self.full_name or self.url


class Delivery(models.Model):
    """A webhook that came in, whatever became of it.

    What is signed is the body alone, so the body is what may come once: a delivery's own id can be
    changed by whoever replays it.
    """

    class Outcome(models.TextChoices):
        ACCEPTED = "accepted", "Accepted"
        IGNORED = "ignored", "Ignored"
        REFUSED = "refused", "Refused"

    repository = models.ForeignKey(
        Repository, on_delete=models.CASCADE, related_name="deliveries", null=True, blank=True
    )
    delivery_id = models.CharField(max_length=100, blank=True)
    event = models.CharField(max_length=50, blank=True)
    body_sha256 = models.CharField(max_length=64, blank=True)
    outcome = models.CharField(max_length=20, choices=Outcome)
    reason = models.CharField(max_length=300, blank=True)
    deployment = models.ForeignKey(Deployment, on_delete=models.SET_NULL, null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-pk"]
        verbose_name_plural = "deliveries"
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["repository", "body_sha256"],
                condition=models.Q(outcome="accepted"),
                name="one_delivery_per_body",
            )
        ]

    def __str__(self) -> str:
        return f"{self.event} {self.delivery_id}"
