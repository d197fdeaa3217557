"""How long hours are kept; days are kept for ever."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

from sites.models import Kind, VisitCount
from sites.visits import partitions

# Every other kind is kept as long as ALL.
KEPT_DAYS = {Kind.MINUTE: 2, Kind.LEFT_OUT: 30, Kind.ALL: 90}
# Kept a little longer than told, so that nobody drops what a slow pull still adds to.
GRACE = timedelta(days=1)


def kept_since(kind: int, today: date) -> date:
    """The first day whose hours are kept, whole months of them where partitions are dropped.

    The days before are closed: their hours may be gone, and nothing is subtracted from them.
    """
    if kind in (Kind.MINUTE, Kind.LEFT_OUT):
        return today - timedelta(days=KEPT_DAYS[Kind(kind)])
    return partitions.month_of(today - timedelta(days=KEPT_DAYS[Kind.ALL]))


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
