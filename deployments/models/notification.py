"""Who is told of deployments, and whether they were."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone

from deployments.models.deployment import Deployment
from deployments.models.secret import SecretField
from sites.models import Site
from sites.models.lease import Leased


class Event(models.TextChoices):
    STARTED = "deployment.started", "Started"
    SUCCEEDED = "deployment.succeeded", "Succeeded"
    FAILED = "deployment.failed", "Failed"


class Listener(models.Model):
    """An address that hears of a site's deployments."""

    class Kind(models.TextChoices):
        WEBHOOK = "webhook", "Webhook"
        EMAIL = "email", "E-mail"

    site = models.ForeignKey(Site, on_delete=models.CASCADE, related_name="listeners")
    kind = models.CharField(max_length=20, choices=Kind, default=Kind.WEBHOOK)
    address = models.CharField(max_length=500, help_text="An https URL, or an e-mail address.")
    events = ArrayField(models.CharField(max_length=40, choices=Event), default=list)
    secret = SecretField(
        max_length=100, blank=True, default="", help_text="Signs what is sent to a webhook."
    )
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.address


class Message(Leased):
    """One event on its way to one address; kept as the log of what was sent.

    Without a ``listener`` it is a status for the commit, sent to the repository's host.
    """

    class Status(models.TextChoices):
        QUEUED = "queued", "Queued"
        SENT = "sent", "Sent"
        FAILURE = "failure", "Failure"

    ACTIVE = (Status.QUEUED,)

    listener = models.ForeignKey(
        Listener, on_delete=models.CASCADE, related_name="messages", null=True, blank=True
    )
    deployment = models.ForeignKey(Deployment, on_delete=models.CASCADE, related_name="messages")
    event = models.CharField(max_length=40, choices=Event)
    status = models.CharField(max_length=20, choices=Status, default=Status.QUEUED)
    tries = models.PositiveIntegerField(default=0)
    next_try_at = models.DateTimeField(default=timezone.now)
    answer = models.CharField(max_length=300, blank=True, help_text="What the receiver said last.")
    created_at = models.DateTimeField(auto_now_add=True)
    sent_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"{self.event} of {self.deployment}"
