"""What was pulled becomes hours, and what they gained becomes days; all in SQL, set by set.

Hours are absolute values, so that a second pull changes nothing. Days gain what their hours gained
in the same transaction: no day is summed up anew for one of its hours.
"""

# ruff: noqa: S608  what is put into the SQL below are our own words

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, time

from django.db import connection
from django.db.backends.utils import CursorWrapper
from psycopg import Copy

from sites.models import Account, Kind, VisitCount
from sites.visits import partitions
from sites.visits.readers import Row
from sites.visits.retention import kept_since, spent_before

TYPES = ["uuid", "timestamptz", "int2", "varchar", "int8", "int8", "int8", "int8"]
# An hour of 10,000 sites is sorted in memory, and done before anything would be compiled for it.
SETTINGS = {"work_mem": "64MB", "jit": "off"}
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

# The hours that are kept, each beside what was known of it and where, in the order of the keys.
# OFFSET 0 has what is known of a site's hour looked for by its key, whatever the planner thinks of
# hours that it has not seen yet, and the bounds spare the other months.
FRESH = f"""
    CREATE TEMPORARY TABLE fresh AS
    WITH told AS (
        SELECT s.id AS site_id, p.kind, p.hour, p.value, {each("p.{0}")}
        FROM pulled p JOIN sites_site s ON s.uid = p.site AND s.account_id = %(account)s
        WHERE p.hour >= {{since}}
    )
    SELECT t.site_id, t.kind, t.hour, t.value, {each("t.{0}")},
           {each("coalesce(k.{0}, 0) AS old_{0}")}, k.at, %(epoch)s::smallint AS epoch
    FROM told t LEFT JOIN (
        SELECT c.* FROM (SELECT DISTINCT site_id, hour FROM told) h CROSS JOIN LATERAL (
            SELECT c.site_id, c.kind, c.hour, c.value, {each("c.{0}")}, c.ctid AS at
            FROM sites_visitcount c
            WHERE c.site_id = h.site_id AND c.hour = h.hour AND c.epoch = %(epoch)s
                AND c.hour BETWEEN %(first)s AND %(last)s
            OFFSET 0
        ) c
    ) k ON (k.site_id, k.hour, k.kind, k.value) = (t.site_id, t.hour, t.kind, t.value)
    ORDER BY t.site_id, t.hour, t.kind, t.value
"""

# After a whole reading: what the database does not know any more counts from nought, but for what
# it let go of when it had been read.
MISSED = f"""
    INSERT INTO fresh
    SELECT c.site_id, c.kind, c.hour, c.value, 0, 0, 0, 0, {each("c.{0}")}, c.ctid, c.epoch
    FROM sites_visitcount c
    JOIN sites_site s ON s.id = c.site_id AND s.account_id = %(account)s
    WHERE c.epoch = %(epoch)s AND c.hour >= %(spent_before)s AND NOT EXISTS (
        SELECT FROM fresh f
        WHERE (f.site_id, f.kind, f.hour, f.value) = (c.site_id, c.kind, c.hour, c.value))
"""

# Where a row is, is known, so it is not looked for again: half the time. That it still is that row
# is checked, by words that no index knows; what was deleted meanwhile may stay so. A month at a
# time and without bounds of its hours, which a planner would take for none when they are new.
KNOWN_HOURS = f"""
    UPDATE {{month}} c SET {each("{0} = f.{0}")} FROM fresh f
    WHERE c.ctid = f.at AND f.at IS NOT NULL AND f.hour >= %(first)s AND f.hour < %(next)s
        AND (c.site_id, c.kind, c.hour, c.value, c.epoch)
            IS NOT DISTINCT FROM (f.site_id, f.kind, f.hour, f.value, f.epoch)
        AND ({each("f.{0}")}) <> ({each("f.old_{0}")})
"""

NEW_HOURS = f"""
    INSERT INTO sites_visitcount (site_id, kind, hour, value, epoch, {each("{0}")})
    SELECT site_id, kind, hour, value, %(epoch)s, {each("{0}")} FROM fresh
    WHERE at IS NULL AND ({each("{0}")}) <> ({each("old_{0}")})
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


def _days(group: str, gained: str) -> str:
    return f"""
        INSERT INTO sites_visitday AS d (site_id, kind, day, value, {each("{0}")})
        SELECT site_id, kind, (hour AT TIME ZONE 'UTC')::date AS day, value, {each(gained)}
        FROM fresh
        WHERE kind <> {Kind.MINUTE} AND ({" OR ".join(f"{name} > old_{name}" for name in SUMS)})
        {group}
        ORDER BY site_id, day, kind, value
        ON CONFLICT (site_id, day, kind, value)
        DO UPDATE SET {each("{0} = d.{0} + excluded.{0}")}
    """


DAYS = _days("GROUP BY site_id, kind, day, value", "sum(greatest({0} - old_{0}, 0))")
# Mostly one hour has changed, and of one there is nothing to sum up: half the time.
DAYS_OF_ONE_HOUR = _days("", "greatest({0} - old_{0}, 0)")

# As the table's own trigger does; before it, because what a statement sees is older than its wait.
TURN = "SELECT pg_advisory_xact_lock('sites_visitday'::regclass::oid::bigint)"
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


class Stage:
    """A place for what is read; gone at the end, or with the transaction. ``rows`` came."""

    def __init__(self) -> None:
        self.rows = 0

    def __enter__(self) -> Stage:
        with connection.cursor() as cursor:
            cursor.execute(PULLED)
        return self

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        if error is None:  # else the transaction takes it along
            with connection.cursor() as cursor:
                cursor.execute("DROP TABLE pulled")

    def add(self, rows: Iterable[Row]) -> None:
        with self._copying() as copy:
            copy.set_types(TYPES)
            for row in rows:
                copy.write_row(row)

    def copy(self, blocks: Iterable[bytes]) -> None:
        with self._copying() as copy:
            for block in blocks:
                copy.write(block)

    @contextmanager
    def _copying(self) -> Iterator[Copy]:
        with connection.cursor() as cursor:
            with cursor.copy("COPY pulled FROM STDIN (FORMAT binary)") as copy:
                yield copy
            self.rows += cursor.rowcount


def merge(account: Account, epoch: int, *, is_whole: bool, today: date | None = None) -> None:
    """Bring what was staged into hours and days. ``is_whole``: it is all that the database has."""
    today = today or datetime.now(UTC).date()
    values: dict[str, int | datetime | None] = {
        "account": account.pk,
        "epoch": epoch,
        "minutes_since": _midnight(kept_since(Kind.MINUTE, today)),
        "left_out_since": _midnight(kept_since(Kind.LEFT_OUT, today)),
        "hours_since": _midnight(kept_since(Kind.ALL, today)),
        "spent_before": spent_before(Kind.ALL, today),
    }
    with connection.cursor() as cursor:
        for name, value in SETTINGS.items():
            cursor.execute("SELECT set_config(%s, %s, true)", [name, value])
        cursor.execute("ANALYZE pulled (site)")
        cursor.execute("SELECT min(hour), max(hour) FROM pulled")
        values["first"], values["last"] = cursor.fetchone()
        cursor.execute(FRESH.format(since=SINCE), values)
        if is_whole:
            cursor.execute("ANALYZE fresh")
            cursor.execute(MISSED, values)
        cursor.execute("SELECT DISTINCT hour FROM fresh")
        hours = [hour for (hour,) in cursor.fetchall()]
        days = {hour.astimezone(UTC).date() for hour in hours}
        partitions.ensure(days)
        cursor.execute(FORGOTTEN)
        _update_known(cursor, {partitions.month_of(day) for day in days})
        cursor.execute(NEW_HOURS, values)
        cursor.execute(TURN)
        cursor.execute(CLOSED_DAYS.format(since=SINCE), values)
        cursor.execute(DAYS if len(hours) > 1 else DAYS_OF_ONE_HOUR)
        cursor.execute("DROP TABLE fresh")


def _update_known(cursor: CursorWrapper, months: Iterable[date]) -> None:
    """Row by row: while a month is small, a planner had rather read it all."""
    for way in ("enable_hashjoin", "enable_mergejoin"):
        cursor.execute(f"SET LOCAL {way} = off")
    names = partitions.existing()
    for month in months:
        bounds = {"first": _midnight(month), "next": _midnight(partitions.next_month(month))}
        cursor.execute(KNOWN_HOURS.format(month=names[month]), bounds)
    for way in ("enable_hashjoin", "enable_mergejoin"):
        cursor.execute(f"SET LOCAL {way} TO DEFAULT")


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
