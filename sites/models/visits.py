"""Visitor statistics, pulled from the counter database (DESIGN section 6)."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from sites.models.account import Account
from sites.models.site import Site


class VisitCount(models.Model):
    """Hits of one path on one day: absolute values, so that a second pull changes nothing.

    ``pageviews`` counts page loads, ``visits`` the first page of a visitor that day, ``bots`` what
    said it is a bot; bots are in neither of the other two.
    """

    site = models.ForeignKey(Site, on_delete=models.CASCADE, related_name="visit_counts")
    date = models.DateField()
    path = models.CharField(max_length=500)
    pageviews = models.PositiveBigIntegerField(default=0)
    visits = models.PositiveBigIntegerField(default=0)
    bots = models.PositiveBigIntegerField(default=0)

    class Meta:
        ordering = ["date", "path"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["site", "date", "path"], name="one_count_per_day_and_path"
            )
        ]

    def __str__(self) -> str:
        return f"{self.date} {self.path}: {self.pageviews}"


class VisitCursor(models.Model):
    """How far the counter database of an account was read: rows and cursor move together."""

    account = models.OneToOneField(Account, on_delete=models.CASCADE, related_name="visit_cursor")
    epoch = models.UUIDField(null=True, help_text="Which database the position belongs to.")
    position = models.BigIntegerField(
        default=0, help_text="The oldest transaction that the last pull may have missed."
    )
    pulled_at = models.DateTimeField(null=True, blank=True)
    error_message = models.TextField(blank=True)

    def __str__(self) -> str:
        return f"{self.account}: {self.position}"
