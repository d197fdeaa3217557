"""What was pulled becomes hours, and what they gained becomes days; all in SQL, set by set.

Hours are absolute values, so that a second pull changes nothing. Days gain what their hours gained
in the same transaction: no day is summed up anew for one of its hours.
"""

# ruff: noqa: S608  what is put into the SQL below are our own words

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, time

from django.db import connection

from sites.models import Account, Kind, VisitCount
from sites.visits import partitions
from sites.visits.readers import Row
from sites.visits.retention import kept_since

TYPES = ["uuid", "timestamptz", "int2", "varchar", "int8", "int8", "int8", "int8"]
# An hour of 10,000 sites is sorted in memory.
WORK_MEMORY = "64MB"
SUMS = ("pageviews", "visits", "visitors", "bots")


def each(pattern: str) -> str:
    """The pattern for each of the four sums, as in ``each("d.{0} + excluded.{0}")``."""
    return ", ".join(pattern.format(name) for name in SUMS)


PULLED = f"""
    CREATE TEMPORARY TABLE pulled (
        site uuid, hour timestamptz, kind smallint, value varchar(500) COLLATE "C",
        {each("{0} bigint")}
    )
"""

# The hours that are kept, each beside what was known of it. The bounds spare the other months.
FRESH = f"""
    CREATE TEMPORARY TABLE fresh AS
    SELECT s.id AS site_id, p.kind, p.hour, p.value, {each("p.{0}")},
           {each("coalesce(c.{0}, 0) AS old_{0}")}
    FROM pulled p
    JOIN sites_site s ON s.uid = p.site AND s.account_id = %(account)s
    LEFT JOIN sites_visitcount c
        ON c.site_id = s.id AND c.kind = p.kind AND c.hour = p.hour AND c.value = p.value
        AND c.epoch = %(epoch)s
        AND c.hour BETWEEN (SELECT min(hour) FROM pulled) AND (SELECT max(hour) FROM pulled)
    WHERE p.hour >= {{since}}
"""

# After a whole reading: what the database does not know any more counts from nought.
MISSED = f"""
    INSERT INTO fresh
    SELECT c.site_id, c.kind, c.hour, c.value, 0, 0, 0, 0, {each("c.{0}")}
    FROM sites_visitcount c
    JOIN sites_site s ON s.id = c.site_id AND s.account_id = %(account)s
    WHERE c.epoch = %(epoch)s AND NOT EXISTS (
        SELECT FROM fresh f
        WHERE (f.site_id, f.kind, f.hour, f.value) = (c.site_id, c.kind, c.hour, c.value))
"""

HOURS = f"""
    INSERT INTO sites_visitcount (site_id, kind, hour, value, epoch, {each("{0}")})
    SELECT site_id, kind, hour, value, %(epoch)s, {each("{0}")} FROM fresh
    WHERE ({each("{0}")}) <> ({each("old_{0}")})
    ORDER BY site_id, hour, kind, value
    ON CONFLICT (site_id, hour, kind, value, epoch)
    DO UPDATE SET {each("{0} = excluded.{0}")}
"""

# What a database once told and tells no more: it stays counted.
FORGOTTEN = f"""
    INSERT INTO sites_visitcount AS c (site_id, kind, hour, value, epoch, {each("{0}")})
    SELECT site_id, kind, hour, value, {VisitCount.FORGOTTEN},
           {each("greatest(old_{0} - {0}, 0)")}
    FROM fresh WHERE {" OR ".join(f"old_{name} > {name}" for name in SUMS)}
    ORDER BY site_id, hour, kind, value
    ON CONFLICT (site_id, hour, kind, value, epoch)
    DO UPDATE SET {each("{0} = c.{0} + excluded.{0}")}
"""

DAYS = f"""
    INSERT INTO sites_visitday AS d (site_id, kind, day, value, {each("{0}")})
    SELECT site_id, kind, (hour AT TIME ZONE 'UTC')::date AS day, value,
           {each("sum(greatest({0} - old_{0}, 0))")}
    FROM fresh
    WHERE kind <> {Kind.MINUTE} AND ({" OR ".join(f"{name} > old_{name}" for name in SUMS)})
    GROUP BY site_id, kind, day, value
    ORDER BY site_id, day, kind, value
    ON CONFLICT (site_id, day, kind, value) DO UPDATE SET {each("{0} = d.{0} + excluded.{0}")}
"""

# Days whose hours are gone cannot gain; they are told whole, if at all, and never less than before.
CLOSED_DAYS = f"""
    INSERT INTO sites_visitday AS d (site_id, kind, day, value, {each("{0}")})
    SELECT t.site_id, t.kind, t.day, t.value, {each("t.{0} + coalesce(sum(i.{0}), 0)")}
    FROM (
        SELECT s.id AS site_id, p.kind, (p.hour AT TIME ZONE 'UTC')::date AS day, p.value,
               {each("sum(p.{0}) AS {0}")}
        FROM pulled p JOIN sites_site s ON s.uid = p.site AND s.account_id = %(account)s
        WHERE p.kind <> {Kind.MINUTE} AND p.hour < {{since}}
        GROUP BY s.id, p.kind, day, p.value
    ) t
    LEFT JOIN sites_visitimport v ON v.site_id = t.site_id
    LEFT JOIN sites_importedday i
        ON i.visit_import_id = v.id AND i.kind = t.kind AND i.day = t.day AND i.value = t.value
    GROUP BY t.site_id, t.kind, t.day, t.value, {each("t.{0}")}
    ORDER BY t.site_id, t.day, t.kind, t.value
    ON CONFLICT (site_id, day, kind, value)
    DO UPDATE SET {each("{0} = greatest(d.{0}, excluded.{0})")}
"""

SINCE = f"""
    CASE p.kind
        WHEN {Kind.MINUTE} THEN %(minutes_since)s
        WHEN {Kind.LEFT_OUT} THEN %(left_out_since)s
        ELSE %(hours_since)s
    END
"""


def open_stage() -> None:
    """A place for what is read; gone with the transaction, or with ``close_stage``."""
    with connection.cursor() as cursor:
        cursor.execute(PULLED)


def close_stage() -> None:
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE pulled, fresh")


def stage(rows: Iterable[Row]) -> None:
    with (
        connection.cursor() as cursor,
        cursor.copy("COPY pulled FROM STDIN (FORMAT binary)") as copy,
    ):
        copy.set_types(TYPES)
        for row in rows:
            copy.write_row(row)


def merge(account: Account, epoch: int, *, is_whole: bool, today: date | None = None) -> None:
    """Bring what was staged into hours and days. ``is_whole``: it is all that the database has."""
    today = today or datetime.now(UTC).date()
    values: dict[str, int | datetime] = {
        "account": account.pk,
        "epoch": epoch,
        "minutes_since": _midnight(kept_since(Kind.MINUTE, today)),
        "left_out_since": _midnight(kept_since(Kind.LEFT_OUT, today)),
        "hours_since": _midnight(kept_since(Kind.ALL, today)),
    }
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('work_mem', %s, true)", [WORK_MEMORY])
        cursor.execute("ANALYZE pulled")
        cursor.execute(FRESH.format(since=SINCE), values)
        if is_whole:
            cursor.execute("ANALYZE fresh")
            cursor.execute(MISSED, values)
        cursor.execute("SELECT DISTINCT (hour AT TIME ZONE 'UTC')::date FROM fresh")
        partitions.ensure([day for (day,) in cursor.fetchall()])
        cursor.execute(FORGOTTEN)
        cursor.execute(HOURS, values)
        # The oldest days first, as everybody who writes several takes the locks of OverallDay.
        cursor.execute(CLOSED_DAYS.format(since=SINCE), values)
        cursor.execute(DAYS)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
