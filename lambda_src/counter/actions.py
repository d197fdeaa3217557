"""What the function does when it is invoked directly: for who may, not for visitors.

``migrate``, ``version`` and ``forget`` take nothing, ``export`` and ``prune`` what they say below.
"""

from __future__ import annotations

import json
import os
import re
import time
from datetime import UTC
from pathlib import Path
from typing import Any

from database import STATEMENT_SECONDS, close, connect
from pg8000.native import Connection, DatabaseError

HERE = Path(__file__).parent
SCHEMA, EXPORT, PRUNE = HERE / "schema.sql", HERE / "export.sql", HERE / "prune.sql"
# Less than the function has in all, 15 s, so that it says itself what went wrong.
LONG_SECONDS = 12.0
# Behind a lock that is waited for, hits wait too, and give up after two seconds.
LOCK_SECONDS, LOCK_ATTEMPTS, LOCK_PAUSE = 1.0, 5, 0.5
LOCK_NOT_AVAILABLE = "55P03"
# So long a migration goes on to its next step, and leaves time for the longest.
STEPS_SECONDS = 4.0
MIGRATION_LOCK = 0x636F756E746572  # "counter"
# In the order of locks that counting uses. What was counted once goes with its day.
DELETE = (
    """DELETE FROM counter.visitor WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM counter.visitor WHERE site = :site ORDER BY tokens DESC FOR UPDATE))""",
    """DELETE FROM counter.count WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM counter.count WHERE site = :site ORDER BY kind FOR UPDATE))""",
    "DELETE FROM counter.total WHERE site = :site",
)
# Lambda answers with 6 MB at most.
# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
MAX_BYTES = 5_000_000

Action = dict[str, Any]


class Unfinished(Exception):
    """What was done stays, and the next call goes on from there."""


def run(asked: Action) -> dict[str, Any]:
    """Raises ValueError for an action that there is not."""
    match asked.get("action"):
        case "migrate":
            return migrate()
        case "version":
            return version()
        case "forget":
            return forget()
        case "export":
            return export(asked)
        case "prune":
            return prune(asked)
    raise ValueError(
        f"action is one of migrate, version, forget, export, prune, not {asked.get('action')!r}"
    )


def migrate() -> dict[str, int]:
    """Apply the versions of ``schema.sql`` that are missing, step by step, one caller at a time.

    Somebody who reads for long is not waited for, but asked again when hits had their turn.
    Raises Unfinished when there is too much for one call.
    """
    connection = connect(LONG_SECONDS)
    attempts = LOCK_ATTEMPTS
    ends = time.monotonic() + STEPS_SECONDS
    try:
        while True:
            try:
                while (current := _step(connection)) < max(_versions()):
                    if time.monotonic() > ends:
                        raise Unfinished(
                            f"The tables are on their way from version {current} on: so much was"
                            " counted before that it takes several calls. The next one goes on."
                        )
                return {"version": current}
            except DatabaseError as error:
                attempts -= 1
                if error.args[0].get("C") != LOCK_NOT_AVAILABLE or not attempts:
                    raise
                connection.run("ROLLBACK")
                time.sleep(LOCK_PAUSE)
    finally:
        close(connection)


def _step(connection: Connection) -> int:
    """Apply the next version, or a part of it; which one there is then."""
    connection.run("BEGIN")
    connection.run("SELECT pg_advisory_xact_lock(:lock)", lock=MIGRATION_LOCK)
    connection.run(f"SET LOCAL lock_timeout = '{LOCK_SECONDS}s'")
    current = _version(connection)
    for number, sql in sorted(_versions().items()):
        if number > current:
            if not connection.run(sql):
                connection.run("INSERT INTO counter.schema_version VALUES (:number)", number=number)
                current = number
            break
    connection.run("COMMIT")
    return current


def version() -> dict[str, int]:
    """The version of the tables, 0 without tables, and the latest that this code brings."""
    connection = connect(STATEMENT_SECONDS)
    try:
        return {"version": _version(connection), "latest": max(_versions())}
    finally:
        close(connection)


def forget() -> dict[str, int]:
    """Delete what was counted for this site, once it is all in the tables that are known here."""
    if 0 < version()["version"] < max(_versions()):
        migrate()
    connection = connect(LONG_SECONDS)
    deleted = 0
    try:
        connection.run("BEGIN")
        for statement in DELETE if _version(connection) else ():
            connection.run(statement, site=os.environ["SITE_UID"])
            deleted += connection.row_count
        connection.run("COMMIT")
        return {"deleted": deleted}
    finally:
        close(connection)


def export(asked: Action) -> dict[str, Any]:
    """What changed since a position, of all sites: ``export.sql``.

    ``asked`` has ``epoch`` and ``position`` of the reader (null: from the start), ``read_at``, when
    it had read them, or null, ``after``, the key ``[site, hour, kind, value]`` at which the last
    page ended, or null, and ``limit``. The answer has ``epoch``, ``position``, ``rows`` of ``[site,
    hour, kind, value, pageviews, visits, visitors, bots]`` and ``more``: whether there may be
    another page.
    """
    after = asked.get("after") or [None] * 4
    limit = asked.get("limit")
    connection = connect(LONG_SECONDS)
    try:
        if not asked.get("position"):  # all is read, and the primary key has it in order
            connection.run("SET enable_sort = off")
        found = connection.run(
            _sql(EXPORT),
            epoch=asked.get("epoch"),
            position=asked.get("position"),
            read_at=asked.get("read_at"),
            limit=limit,
            **dict(zip(("site", "hour", "kind", "value"), after, strict=True)),
        )
    finally:
        close(connection)
    epoch, position, *_ = found[0]
    rows = [_row(row) for row in found if row[2] is not None]
    page = rows[: _fitting(rows)]
    more = len(page) < len(rows) or len(rows) == limit
    return {"epoch": str(epoch), "position": position, "rows": page, "more": more}


def prune(asked: Action) -> dict[str, int]:
    """Let go of what is past: ``prune.sql``, whose parameters are those of ``asked``.

    The answer has ``pruned``, how many went: ask again while that is ``limit``.
    """
    names = ("epoch", "position", "kind", "since", "before", "limit")
    connection = connect(LONG_SECONDS)
    try:
        [(pruned,)] = connection.run(_sql(PRUNE), **{name: asked.get(name) for name in names})
        return {"pruned": pruned}
    finally:
        close(connection)


def _sql(path: Path) -> str:
    """With the placeholders of this driver."""
    return re.sub(r"%\((\w+)\)s", r":\1", path.read_text())


def _row(found: list[Any]) -> list[Any]:
    _, _, site, hour, *rest = found
    return [str(site), hour.astimezone(UTC).isoformat(), *rest]


def _fitting(rows: list[list[Any]]) -> int:
    """How many of the rows an answer has room for."""
    size = 0
    for number, row in enumerate(rows):
        size += len(json.dumps(row)) + 2
        if size > MAX_BYTES:
            return number
    return len(rows)


def _versions() -> dict[int, str]:
    pieces = re.split(r"^-- version (\d+)$", SCHEMA.read_text(), flags=re.MULTILINE)
    return {int(number): sql for number, sql in zip(pieces[1::2], pieces[2::2], strict=True)}


def _version(connection: Connection) -> int:
    [(exists,)] = connection.run("SELECT to_regclass('counter.schema_version') IS NOT NULL")
    if not exists:
        return 0
    [(number,)] = connection.run("SELECT coalesce(max(version), 0) FROM counter.schema_version")
    current: int = number
    return current
