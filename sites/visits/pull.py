"""Pulls what the counters counted into ``VisitCount``: one query for all sites of a database.

Rows come as absolute values, from a cursor that never skips a row (see ``changed`` in
``lambda_src/counter/schema.sql``), and rows and cursor are written in one transaction: a pull that
is killed, repeated or run twice at once leaves the same numbers.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any, NamedTuple
from uuid import UUID

import psycopg
from django.db import transaction
from django.utils import timezone

from sites.models import Account, Site, VisitCount, VisitCursor

CONNECT_SECONDS = 5
STATEMENT_SECONDS = 60
BATCH_SIZE = 1000

# A database that was made anew has another epoch, and one that was restored from a snapshot may be
# behind the cursor: both are read from the start.
CHANGED_SINCE = """
    WITH now AS (
        SELECT id AS epoch, pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS position
        FROM counter.epoch
    )
    SELECT now.epoch, now.position, p.site, p.day, p.path, p.pageviews, p.visits, p.bots
    FROM now LEFT JOIN counter.page p ON p.changed >= CASE
        WHEN now.epoch = %(epoch)s AND now.position >= %(position)s THEN %(position)s::text::xid8
        ELSE '0'::xid8
    END
"""


@dataclass(frozen=True)
class CounterDatabase:
    """Where the counter database of an account is; ``tls`` is ``require`` or ``disable``."""

    host: str
    port: int
    name: str
    user: str
    password: str
    tls: str = "require"


@dataclass(frozen=True)
class Pulled:
    """``rows`` were read (some perhaps unchanged); ``error`` says why not, and what to try."""

    rows: int = 0
    error: str = ""


class Page(NamedTuple):
    """One row of ``counter.page``."""

    site: UUID
    day: date
    path: str
    pageviews: int
    visits: int
    bots: int


def pull(account: Account, database: CounterDatabase) -> Pulled:
    """Bring ``VisitCount`` up to date with the counter database of the account.

    Never raises for a database that cannot be read: the reason is in the answer and on the cursor.
    """
    VisitCursor.objects.get_or_create(account=account)
    with transaction.atomic():
        # Locked while reading: of two at once, the one that read earlier must not write later.
        cursor = VisitCursor.objects.select_for_update().get(account=account)
        try:
            epoch, position, pages = _read(database, cursor)
        except psycopg.Error as error:
            cursor.error_message = _explain(database, error)
            cursor.save(update_fields=["error_message"])
            return Pulled(error=cursor.error_message)
        _write(account, pages)
        cursor.epoch, cursor.position = epoch, position
        cursor.pulled_at, cursor.error_message = timezone.now(), ""
        cursor.save()
    return Pulled(rows=len(pages))


def _read(database: CounterDatabase, cursor: VisitCursor) -> tuple[UUID, int, list[Page]]:
    """The epoch, the next position and the pages since this one, all of one snapshot."""
    with psycopg.connect(
        host=database.host,
        port=database.port,
        dbname=database.name,
        user=database.user,
        password=database.password,
        sslmode=database.tls,
        connect_timeout=CONNECT_SECONDS,
        options=f"-c statement_timeout={STATEMENT_SECONDS}s",
        application_name="cloudadmin-pull",
        autocommit=True,
    ) as connection:
        rows: list[tuple[Any, ...]] = connection.execute(
            CHANGED_SINCE, {"epoch": cursor.epoch, "position": cursor.position}
        ).fetchall()
    if not rows:
        raise psycopg.DataError("it has no epoch")
    epoch, position, *_ = rows[0]
    return epoch, position, [Page(*row[2:]) for row in rows if row[2] is not None]


def _write(account: Account, pages: Iterable[Page]) -> None:
    uids = {page.site for page in pages}
    # Sites that were destroyed meanwhile are not there to be counted.
    sites = dict(Site.objects.filter(account=account, uid__in=uids).values_list("uid", "pk"))
    VisitCount.objects.bulk_create(
        [
            VisitCount(
                site_id=sites[page.site],
                date=page.day,
                path=page.path,
                pageviews=page.pageviews,
                visits=page.visits,
                bots=page.bots,
            )
            for page in pages
            if page.site in sites
        ],
        batch_size=BATCH_SIZE,
        update_conflicts=True,
        unique_fields=["site", "date", "path"],
        update_fields=["pageviews", "visits", "bots"],
    )


def _explain(database: CounterDatabase, error: psycopg.Error) -> str:
    where = f"The counter database at {database.host}:{database.port}"
    if isinstance(error, psycopg.errors.UndefinedTable | psycopg.errors.InvalidSchemaName):
        return f"{where} has no counter tables yet. They come when the counter is provisioned."
    said = " ".join(str(error).split())
    return (
        f"{where} could not be read: {said}."
        " See whether the instance is available and lets this machine in;"
        " the next pull tries again and loses nothing."
    )
