"""How long hours are kept, here and in the counter databases; days are kept here for ever."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple

from sites.models import Kind, VisitCount
from sites.visits import partitions

# Every other kind is kept as long as ALL.
KEPT_DAYS = {Kind.MINUTE: 2, Kind.LEFT_OUT: 30, Kind.ALL: 90}
# Kept a little longer than told, so that nobody drops what a slow pull still adds to.
GRACE = timedelta(days=1)
# A counter database is asked once a day for the minutes of so many days. What it was not asked for
# in time, since it could not be reached, goes with the hours.
LOOK_BACK = timedelta(days=7)


def kept_since(kind: int, today: date) -> date:
    """The first day whose hours are kept, whole months of them where partitions are dropped.

    The days before are closed: their hours may be gone, and nothing is subtracted from them.
    """
    if kind in (Kind.MINUTE, Kind.LEFT_OUT):
        return today - timedelta(days=KEPT_DAYS[Kind(kind)])
    return partitions.month_of(today - timedelta(days=KEPT_DAYS[Kind.ALL]))


class Span(NamedTuple):
    """Hours of one kind, or of every kind, from the first or from ``since`` on."""

    kind: Kind | None
    since: datetime | None
    before: datetime


def spent(today: date) -> list[Span]:
    """What a counter database need not keep, once it was pulled. Whole days."""
    spans = [Span(None, None, spent_before(Kind.ALL, today))]
    for kind in (Kind.MINUTE, Kind.LEFT_OUT):
        before = spent_before(kind, today)
        spans.append(Span(kind, before - LOOK_BACK, before))
    return spans


def spent_before(kind: Kind, today: date) -> datetime:
    return datetime.combine(today - GRACE - timedelta(days=KEPT_DAYS[kind]), time(), UTC)


def tidy(today: date | None = None) -> int:
    """Make the next month's partition and let go of old hours; how many rows and months went."""
    today = today or datetime.now(UTC).date()
    partitions.ensure([today, partitions.next_month(today)])
    gone = len(partitions.drop_before(kept_since(Kind.ALL, today - GRACE)))
    for kind in (Kind.MINUTE, Kind.LEFT_OUT):
        gone += _delete(kind, kept_since(kind, today - GRACE))
    return gone


def _delete(kind: Kind, before: date) -> int:
    hours = VisitCount.objects.filter(kind=kind, hour__lt=datetime.combine(before, time(), UTC))
    return hours.delete()[0]
