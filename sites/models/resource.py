"""One thing on AWS that we made."""

from __future__ import annotations

from typing import ClassVar

from django.contrib.postgres.indexes import OpClass
from django.db import models
from django.db.models.functions import Reverse, Upper

from sites.models.account import Account
from sites.models.site import Site


class Resource(models.Model):
    """Written by the engine alone: the intent before a create, the id after it.

    A row without ``physical_id`` is an intent whose answer is not known yet. Rows without a site
    belong to the account, shared by its sites.
    """

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="resources")
    site = models.ForeignKey(
        Site, on_delete=models.PROTECT, related_name="resources", null=True, blank=True
    )
    logical_id = models.CharField(max_length=60, help_text="Its name inside the stack.")
    type = models.CharField(max_length=40)
    inputs = models.JSONField(default=dict, help_text="What was asked for.")
    physical_id = models.CharField(max_length=300, blank=True, help_text="The id that AWS gave.")
    properties = models.JSONField(default=dict, help_text="What AWS says it is.")
    attributes = models.JSONField(default=dict, help_text="What other resources refer to.")
    accepted = models.JSONField(
        default=dict, help_text="What was changed on AWS and shall stay so: path -> value."
    )
    drift = models.JSONField(
        default=list, help_text="What was changed on AWS behind our back, field by field."
    )
    drift_checked_at = models.DateTimeField(null=True, blank=True)
    generation = models.PositiveBigIntegerField(
        default=0, help_text="Which create this is; its idempotency token is derived from it."
    )
    aws_status = models.CharField(max_length=60, blank=True)
    is_ready = models.BooleanField(default=False)
    waiting_for = models.TextField(blank=True)
    todo = models.TextField(blank=True, help_text="What a person can do about the wait.")
    waiting_since = models.DateTimeField(null=True, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    renewal = models.JSONField(
        default=dict, blank=True, help_text="What AWS says of renewing it in time."
    )
    created_at = models.DateTimeField(auto_now_add=True)
    read_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["pk"]
        indexes: ClassVar = [
            # An id is looked for by its beginning or its end, in either case.
            models.Index(
                OpClass(Upper("physical_id"), name="text_pattern_ops"), name="resources_by_id"
            ),
            models.Index(
                OpClass(Upper(Reverse("physical_id")), name="text_pattern_ops"),
                name="resources_by_end_of_id",
            ),
            models.Index(
                fields=["site", "account"], condition=~models.Q(drift=[]), name="drifted_resources"
            ),
            models.Index(
                fields=["waiting_since"],
                condition=models.Q(waiting_since__isnull=False, is_ready=False),
                name="waiting_resources",
            ),
            models.Index(
                fields=["expires_at"],
                condition=models.Q(expires_at__isnull=False),
                name="expiring_resources",
            ),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["account", "logical_id"],
                condition=models.Q(site__isnull=True),
                name="one_account_resource_per_logical_id",
            ),
            models.UniqueConstraint(
                fields=["site", "logical_id"], name="one_site_resource_per_logical_id"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.physical_id or '(being created)'}"
