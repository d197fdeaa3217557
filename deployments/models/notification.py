"""Who is told of what happens to a site, and whether they were."""

from __future__ import annotations

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils import timezone

from deployments.models.deployment import Deployment
from deployments.models.secret import SecretField
from sites.models import Account, Site, Team
from sites.models.lease import Leased


class Event(models.TextChoices):
    STARTED = "deployment.started", "Deployment started"
    SUCCEEDED = "deployment.succeeded", "Deployment done"
    FAILED = "deployment.failed", "Deployment failed"
    OPERATION_FAILED = "operation.failed", "Operation failed"
    WAITING = "operation.waiting", "Waiting on you"
    DRIFT = "drift.found", "Changed on AWS"
    CERTIFICATE = "certificate.expiring", "Certificate not renewed"
    LIMIT = "limit.near", "Nearly used up"


class Listener(models.Model):
    """An address that hears of a site, or of all sites of an account or of a team.

    Of a chat, ``secret`` is its whole address and ``address`` what may be shown of it.
    """

    class Kind(models.TextChoices):
        WEBHOOK = "webhook", "Webhook"
        EMAIL = "email", "E-mail"
        CHAT = "chat", "Chat"

    site = models.ForeignKey(
        Site, on_delete=models.CASCADE, related_name="listeners", null=True, blank=True
    )
    team = models.ForeignKey(
        Team, on_delete=models.CASCADE, related_name="listeners", null=True, blank=True
    )
    account = models.ForeignKey(
        Account, on_delete=models.CASCADE, related_name="listeners", null=True, blank=True
    )
    kind = models.CharField(max_length=20, choices=Kind, default=Kind.WEBHOOK)
    address = models.CharField(
        max_length=500, help_text="An https URL, an e-mail address, or the address of a chat."
    )
    events = ArrayField(models.CharField(max_length=40, choices=Event), default=list)
    secret = SecretField(
        max_length=1000, blank=True, default="", help_text="Signs what is sent to a webhook."
    )
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(site__isnull=False, team__isnull=True, account__isnull=True)
                | Q(site__isnull=True, team__isnull=False, account__isnull=True)
                | Q(site__isnull=True, team__isnull=True, account__isnull=False),
                name="listener_of_a_site_a_team_or_an_account",
                violation_error_message="It hears of a site, or of a team's, or of an account's.",
            )
        ]

    def __str__(self) -> str:
        return self.address

    @property
    def about(self) -> str:
        """What it hears of, as in “all sites of team Shops”."""
        if self.team:
            return f"all sites of team {self.team}"
        return f"all sites of account {self.account}" if self.account else str(self.site)


class Message(Leased):
    """One event on its way to one address; kept as the log of what was sent.

    ``told`` is what happened, where it is not about a deployment: ``subject``, ``data`` for
    programs, and the ``url`` of its page. What is about no site is about an account. Without a
    ``listener`` it is a status for the commit, sent to the repository's host.
    """

    class Status(models.TextChoices):
        QUEUED = "queued", "Queued"
        SENT = "sent", "Sent"
        FAILURE = "failure", "Failed"

    ACTIVE = (Status.QUEUED,)

    listener = models.ForeignKey(
        Listener, on_delete=models.CASCADE, related_name="messages", null=True, blank=True
    )
    site = models.ForeignKey(
        Site, on_delete=models.CASCADE, related_name="messages", null=True, blank=True
    )
    account = models.ForeignKey(
        Account, on_delete=models.CASCADE, related_name="messages", null=True, blank=True
    )
    deployment = models.ForeignKey(
        Deployment, on_delete=models.CASCADE, related_name="messages", null=True, blank=True
    )
    told = models.JSONField(default=dict, blank=True)
    event = models.CharField(max_length=40, choices=Event)
    status = models.CharField(max_length=20, choices=Status, default=Status.QUEUED)
    tries = models.PositiveIntegerField(default=0)
    next_try_at = models.DateTimeField(default=timezone.now)
    answer = models.CharField(max_length=300, blank=True, help_text="What the receiver said last.")
    created_at = models.DateTimeField(auto_now_add=True)
    sent_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-pk"]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(site__isnull=False) | Q(account__isnull=False),
                name="message_of_a_site_or_an_account",
            )
        ]

    def __str__(self) -> str:
        return f"{self.get_event_display()}: {self.about}"

    @property
    def about(self) -> str:
        return str(self.deployment or self.site or self.account)


class Notice(models.Model):
    """That something was told which goes on; it is told again when it was over for a while.

    ``key`` is what it is, and how far.
    """

    key = models.CharField(max_length=200, unique=True)
    told_at = models.DateTimeField(auto_now_add=True)
    seen_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.key
