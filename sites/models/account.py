"""An AWS account that sites live on."""

from __future__ import annotations

import uuid

from django.core.validators import RegexValidator
from django.db import models


class Account(models.Model):
    """Reached by AssumeRole with an external id; no long-lived keys are stored."""

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    name = models.CharField(max_length=100, unique=True)
    aws_account_id = models.CharField(
        "AWS account id",
        max_length=12,
        validators=[RegexValidator(r"^[0-9]{12}\Z", "An AWS account id has twelve digits.")],
    )
    region = models.CharField(
        max_length=30, default="us-east-1", help_text="Where the buckets and functions are."
    )
    role_arn = models.CharField(
        "role ARN",
        max_length=200,
        blank=True,
        help_text="The role to assume; empty for the credentials of the process.",
    )
    external_id = models.UUIDField(default=uuid.uuid4, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.name

    @property
    def short_uid(self) -> str:
        """What the names of the account's resources are derived from."""
        return self.uid.hex[:12]
