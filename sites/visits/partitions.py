"""The months of ``sites_visitcount``: a partition each, so that old hours go at once.

Made before they are needed, and when a pull brings hours of a month that has none.
https://www.postgresql.org/docs/current/ddl-partitioning.html#DDL-PARTITIONING-DECLARATIVE-MAINTENANCE
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date, timedelta

from django.db import OperationalError, connection, transaction
from psycopg.errors import LockNotAvailable

TABLE = "sites_visitcount"
# Whoever makes or drops one is alone in it; any number that nobody else locks.
LOCK = 0x76697369747300  # "visits"
LOCK_SECONDS = 5


def month_of(day: date) -> date:
    return day.replace(day=1)


def next_month(day: date) -> date:
    return (day.replace(day=1) + timedelta(days=31)).replace(day=1)


def existing() -> dict[date, str]:
    """The table of every month that has one."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = %s::regclass",
            [TABLE],
        )
        names = [name for (name,) in cursor.fetchall()]
    months = ((name, re.fullmatch(rf"{TABLE}_(\d{{4}})_(\d\d)", name)) for name in names)
    return {date(int(m[1]), int(m[2]), 1): name for name, m in sorted(months) if m}


def ensure(days: Iterable[date]) -> None:
    """Make the partitions that these days have none of."""
    months = {month_of(day) for day in days}
    if months <= existing().keys():
        return
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
        for month in sorted(months - existing().keys()):
            name = f"{TABLE}_{month:%Y_%m}"
            # Attached, not created as a partition: that would keep readers of the others out.
            cursor.execute(
                f"CREATE TABLE {name} (LIKE {TABLE} INCLUDING ALL) WITH (fillfactor = 80)"
            )
            cursor.execute(
                f"ALTER TABLE {TABLE} ATTACH PARTITION {name} FOR VALUES FROM (%s) TO (%s)",
                [f"{month} 00:00+00", f"{next_month(month)} 00:00+00"],
            )


def drop_before(day: date) -> list[str]:
    """Drop the months that ended before this day; the names of the tables that went.

    One that somebody reads all the time stays until the next attempt, rather than that everybody
    waits behind us.
    """
    over = [name for month, name in existing().items() if next_month(month) <= day]
    return [name for name in over if _drop(name)]


def _drop(name: str) -> bool:
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT set_config('lock_timeout', %s, true)", [f"{LOCK_SECONDS}s"])
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
            cursor.execute(f"DROP TABLE IF EXISTS {name}")
    except OperationalError as error:
        if isinstance(error.__cause__, LockNotAvailable):
            return False
        raise
    return True
