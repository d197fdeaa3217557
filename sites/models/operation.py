"""A piece of provisioning work: what is asked, who works on it, how it ended."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models

from sites.models.account import Account
from sites.models.lease import Leased
from sites.models.site import Site


class Operation(Leased):
    """One at a time per site, held by a lease; the fence number proves who holds it.

    One without a site but with an ``account`` is about what the account's sites share, or about
    what is left there without a row; of those as well there is one at a time.
    """

    class Kind(models.TextChoices):
        PROVISION = "provision", "Provision"
        DESTROY = "destroy", "Destroy"
        ADOPT = "adopt", "Adopt"
        FORGET = "forget", "Forget"
        DELETE = "delete", "Delete leftovers"

    class Status(models.TextChoices):
        QUEUED = "queued", "Queued"
        IN_PROGRESS = "in_progress", "In progress"
        SUCCESS = "success", "Done"
        FAILURE = "failure", "Failed"
        NEEDS_ATTENTION = "needs_attention", "Failed"
        INACTIVE = "inactive", "Superseded"

    ACTIVE = (Status.QUEUED, Status.IN_PROGRESS)
    FAILED = (Status.FAILURE, Status.NEEDS_ATTENTION)

    site = models.ForeignKey(Site, on_delete=models.SET_NULL, null=True, related_name="operations")
    site_name = models.CharField(max_length=120, help_text="Kept when the site is gone.")
    account = models.ForeignKey(
        Account, on_delete=models.SET_NULL, null=True, blank=True, related_name="operations"
    )
    kind = models.CharField(max_length=20, choices=Kind)
    status = models.CharField(max_length=20, choices=Status, default=Status.QUEUED)
    creator = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True
    )
    force = models.JSONField(
        default=list, help_text="Logical ids whose data may go: what the plan's brake lets pass."
    )
    plan_checksum = models.CharField(
        max_length=64, blank=True, help_text="Of the plan that was shown; another is not applied."
    )
    plan = models.JSONField(
        default=dict, help_text="What it set out to change, as it was when it began."
    )
    by_hand = models.BooleanField(
        "step by step", default=False, help_text="Each change is made when a person says so."
    )
    chosen = models.CharField(
        max_length=60, blank=True, help_text="By hand: the logical id whose change was asked for."
    )
    waits = models.JSONField(default=list)
    next_check_at = models.DateTimeField(null=True, blank=True)
    error_message = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    targets = models.JSONField(
        default=list, help_text="Things without a row that are to be deleted, until they are."
    )

    class Meta:
        ordering = ["-pk"]
        indexes: ClassVar = [
            models.Index(fields=["site", "-id"], name="operations_of_site"),
            models.Index(fields=["created_at"], name="operations_by_time"),
            models.Index(
                fields=["-id"],
                condition=models.Q(status__in=["failure", "needs_attention"]),
                name="operations_failed",
            ),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["site"],
                condition=models.Q(status__in=["queued", "in_progress"]),
                name="one_active_operation_per_site",
            ),
            models.UniqueConstraint(
                fields=["account"],
                condition=models.Q(status__in=["queued", "in_progress"]),
                name="one_active_operation_per_account",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.site_name}"


class OperationEvent(models.Model):
    """One line of the history of an operation."""

    operation = models.ForeignKey(Operation, on_delete=models.CASCADE, related_name="events")
    logical_id = models.CharField(max_length=60, blank=True)
    message = models.TextField()
    calls = models.JSONField(
        default=list, help_text="Of AWS: “call”, “status”, “request_id”, of those that made it."
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return self.message
