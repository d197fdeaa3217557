"""An AWS account that sites live on."""

from __future__ import annotations

import uuid

from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
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
    counter_host = models.CharField(
        "counter database",
        max_length=255,
        blank=True,
        validators=[
            RegexValidator(
                r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?\Z",
                "The endpoint of a database is a host name alone, without its port.",
            )
        ],
        help_text="Endpoint of an RDS PostgreSQL that is there already, in this account and "
        "region, with IAM authentication; empty to have one made.",
    )
    counter_port = models.PositiveIntegerField(
        default=5432, validators=[MinValueValidator(1), MaxValueValidator(65535)]
    )
    counter_database = models.CharField(max_length=63, default="cloudadmin_counter")
    counter_user = models.CharField(
        max_length=63,
        default="cloudadmin",
        help_text="It owns the database, or may create a schema in it, and has the role rds_iam.",
    )
    counter_instance = models.JSONField(
        default=dict,
        blank=True,
        editable=False,
        help_text="What AWS said of that database when it was named: resource_id, subnet_ids, "
        "security_group_ids.",
    )
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.name

    @property
    def short_uid(self) -> str:
        """What the names of the account's resources are derived from."""
        return self.uid.hex[:12]
