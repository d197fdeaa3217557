"""What was changed, by whom: written by triggers, and by nobody changed again (docs/adr/0011)."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models.functions import Now


class AuditEntry(models.Model):
    """One line of the audit log. It refers to rows by their ids alone: it outlives them.

    ``number`` counts without holes in the order of commits; ``digest`` is the SHA-256 of
    ``previous``, the digest of the entry before, and of all the rest. ``before`` and ``after`` have
    the columns that differ; secrets are “(secret)”.
    """

    class Via(models.TextChoices):
        DASHBOARD = "dashboard", "Dashboard"
        API = "api", "API"
        COMMAND = "command", "Command line"
        WORKER = "worker", "Worker"
        SQL = "sql", "Database"

    class Act(models.TextChoices):
        INSERT = "insert", "Added"
        UPDATE = "update", "Changed"
        DELETE = "delete", "Deleted"
        TRUNCATE = "truncate", "Emptied"
        LOGIN = "login", "Logged in"
        LOGOUT = "logout", "Logged out"
        LOGIN_FAILED = "login_failed", "Login failed"
        CONFIRMED = "confirmed", "Proved who they are"
        FACTOR_FAILED = "factor_failed", "Second factor failed"

    number = models.BigIntegerField(unique=True, null=True, editable=False)
    at = models.DateTimeField(db_default=Now())
    actor_id = models.BigIntegerField(null=True)
    actor = models.CharField(max_length=300)
    via = models.CharField(max_length=20, choices=Via)
    address = models.CharField(max_length=45, blank=True)
    request = models.CharField(max_length=32, blank=True)
    act = models.CharField(max_length=20, choices=Act)
    table = models.CharField(max_length=63, blank=True, db_column="table_name")
    row_id = models.CharField(max_length=64, blank=True)
    label = models.CharField(max_length=300, blank=True, help_text="What the row was called.")
    site_id = models.BigIntegerField(null=True)
    site_name = models.CharField(max_length=120, blank=True)
    team_id = models.BigIntegerField(null=True)
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)
    previous = models.CharField(max_length=64, blank=True, editable=False)
    digest = models.CharField(max_length=64, blank=True, editable=False)

    class Meta:
        ordering: ClassVar = ["-number"]
        verbose_name = "entry of the audit log"
        verbose_name_plural = "audit log"
        indexes: ClassVar = [
            models.Index(fields=["site_id", "number"], name="audit_of_a_site"),
            models.Index(fields=["team_id", "number"], name="audit_of_a_team"),
            models.Index(fields=["actor_id", "number"], name="audit_of_a_person"),
            models.Index(fields=["table", "number"], name="audit_of_a_table"),
            models.Index(fields=["at"], name="audit_by_time"),
        ]

    def __str__(self) -> str:
        return f"{self.number}: {self.get_act_display()} {self.label or self.table}"
