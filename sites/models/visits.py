"""Visitor statistics: what the counters of a site counted (DESIGN section 6).

Hours come from the counter database as absolute values and move together with the cursor. Days are
their sums, and what was imported besides: hours go after a while, days stay. Times are UTC.
"""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar
from uuid import UUID

from django.conf import settings
from django.db import models

from sites.models.account import Account
from sites.models.site import Site


class Kind(models.IntegerChoices):
    """What ``value`` is; the same numbers as in ``lambda_src/counter/schema.sql``.

    Every kind but LEFT_OUT and MINUTE divides the same hits, so one of them is enough for a sum.
    """

    LEFT_OUT = 0, "Left out"  # the reason; ``pageviews`` tells how many hits, at least
    PATH = 1, "Page"
    REFERRER = 2, "Referrer"  # a host; empty: none, or the site itself
    COUNTRY = 3, "Country"  # ISO 3166-1 alpha-2; empty: unknown
    DEVICE = 4, "Device"  # desktop, mobile or tablet
    DEPLOYMENT = 5, "Deployment"  # the release number; empty: unknown
    MINUTE = 6, "Minute"  # "00" to "59" of the hour
    ALL = 7, "All"  # empty: the whole site


class Sums(models.Model):
    """``pageviews``: hits of people; ``visits``: those after half an hour of silence; ``visitors``:
    those that were a visitor's first of the day. ``bots`` are in none of them.
    """

    kind = models.PositiveSmallIntegerField(choices=Kind)
    value = models.CharField(max_length=500, blank=True, db_collation="C")
    pageviews = models.PositiveBigIntegerField(default=0)
    visits = models.PositiveBigIntegerField(default=0)
    visitors = models.PositiveBigIntegerField(default=0)
    bots = models.PositiveBigIntegerField(default=0)

    class Meta:
        abstract = True


class VisitCount(Sums):
    """One hour, as the counter database tells it; in partitions by month (visits/partitions.py).

    ``epoch`` numbers the counter databases that one account had after another. What one of them
    once told and then forgot, as when it was set back to a snapshot, is in the epoch FORGOTTEN.
    """

    FORGOTTEN = -1

    pk = models.CompositePrimaryKey("site", "hour", "kind", "value", "epoch")
    site = models.ForeignKey(
        Site, on_delete=models.CASCADE, related_name="visit_counts", db_index=False
    )
    hour = models.DateTimeField()
    epoch = models.SmallIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.hour:%Y-%m-%d %H:00} {self.get_kind_display()} {self.value}"


class VisitDay(Sums):
    """One day: the hours of all epochs and what was imported. Kept for ever; not of Kind.MINUTE."""

    pk = models.CompositePrimaryKey("site", "day", "kind", "value")
    site = models.ForeignKey(
        Site, on_delete=models.CASCADE, related_name="visit_days", db_index=False
    )
    day = models.DateField()

    def __str__(self) -> str:
        return f"{self.day} {self.get_kind_display()} {self.value}"


class OverallDay(Sums):
    """One day of all sites together, of the kinds that mean something there.

    The database itself keeps it: triggers on VisitDay write what each statement changed there.
    """

    KINDS: ClassVar = (Kind.LEFT_OUT, Kind.REFERRER, Kind.COUNTRY, Kind.DEVICE, Kind.ALL)

    pk = models.CompositePrimaryKey("kind", "day", "value")
    day = models.DateField()

    def __str__(self) -> str:
        return f"{self.day} {self.get_kind_display()} {self.value}"


class VisitImport(models.Model):
    """Days of another counter that were brought into VisitDay, and can be taken out again."""

    class Source(models.TextChoices):
        GOATCOUNTER = "goatcounter", "GoatCounter"
        PLAUSIBLE = "plausible", "Plausible"

    site = models.ForeignKey(Site, on_delete=models.CASCADE, related_name="visit_imports")
    source = models.CharField(max_length=20, choices=Source)
    file_name = models.CharField(max_length=255)
    creator = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    first_day = models.DateField()
    last_day = models.DateField()
    pageviews = models.PositiveBigIntegerField()
    days_left = models.PositiveIntegerField(
        default=0, help_text="Days of the file that were left to our own counter."
    )

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"{self.get_source_display()}: {self.file_name}"


class ImportedDay(Sums):
    """One day of an import: what undoing it takes out of VisitDay."""

    pk = models.CompositePrimaryKey("visit_import", "kind", "day", "value")
    visit_import = models.ForeignKey(
        VisitImport, on_delete=models.CASCADE, related_name="imported_days", db_index=False
    )
    day = models.DateField()

    def __str__(self) -> str:
        return f"{self.day} {self.get_kind_display()} {self.value}"


class VisitCursor(models.Model):
    """How far the counter database of an account was read: rows and cursor move together.

    A counter database that was made anew begins an epoch: what the former one told stays, and what
    the new one tells is added to it.
    """

    class Reader(models.TextChoices):
        DIRECT = "direct", "Direct"  # the worker connects to the database
        INVOKED = "invoked", "Invoked"  # a counter function reads it for the worker

    account = models.OneToOneField(Account, on_delete=models.CASCADE, related_name="visit_cursor")
    epoch = models.UUIDField(null=True, help_text="Which database the position belongs to.")
    position = models.BigIntegerField(
        default=0, help_text="The oldest transaction that the last pull may have missed."
    )
    epoch_numbers = models.JSONField(
        default=dict, help_text="The number of every epoch that was read; VisitCount has it."
    )
    reader = models.CharField(
        max_length=10,
        choices=Reader,
        default=Reader.DIRECT,
        help_text="How the last pull read, and how the next one tries first.",
    )
    pulled_at = models.DateTimeField(null=True, blank=True)
    former = models.JSONField(
        default=dict,
        help_text="Epoch, position and time of the last pull of each database in which sites count "
        "until they are provisioned anew, by its address.",
    )
    pruned_on = models.DateField(
        null=True, blank=True, help_text="When the database last let go of old hours."
    )
    error_message = models.TextField(blank=True)

    def __str__(self) -> str:
        return f"{self.account}: {self.position}"

    def change_over(self, before: str, after: str) -> None:
        """Go on with the database at another address, from where it was read, if it was."""
        if self.epoch and self.pulled_at:
            self.former[before] = [str(self.epoch), self.position, self.pulled_at.isoformat()]
        epoch, self.position, read_at = self.former.pop(after, [None, 0, None])
        self.epoch = epoch and UUID(epoch)
        self.pulled_at = read_at and datetime.fromisoformat(read_at)

    def number_of(self, epoch: UUID) -> int:
        """The number of an epoch, the next one for an epoch that is new."""
        number: int = self.epoch_numbers.setdefault(str(epoch), len(self.epoch_numbers))
        return number
