"""Pulls what the counters counted: one query for all sites of a database.

Rows come as absolute values, from a position that never skips a row (see ``changed`` in
``lambda_src/counter/schema.sql``), and rows and cursor are written in one transaction: a pull that
is killed, repeated or run twice at once leaves the same numbers.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from sites.models import Account, Kind, VisitCursor
from sites.visits import rollup
from sites.visits.readers import Mark, Reader, Unreadable
from sites.visits.retention import KEPT_DAYS

# After so long, days may have closed of which a part was read: they are read again, whole.
LATE = timedelta(days=KEPT_DAYS[Kind.LEFT_OUT] - 1)


@dataclass(frozen=True)
class Pulled:
    """``rows`` were read (some perhaps unchanged); ``error`` says why not, and what to try."""

    rows: int = 0
    error: str = ""


def pull(account: Account, readers: Iterable[Reader]) -> Pulled:
    """Bring the account's statistics up to date by the first reader that can read.

    Never raises for a database that cannot be read: the reasons are in the answer and on the
    cursor.
    """
    VisitCursor.objects.get_or_create(account=account)
    problems = []
    with transaction.atomic():
        # Locked while reading: of two at once, the one that read earlier must not write later.
        cursor = VisitCursor.objects.select_for_update().get(account=account)
        for reader in readers:
            try:
                with transaction.atomic():
                    rows = _take(cursor, reader)
            except Unreadable as error:
                problems.append(str(error))
                continue
            cursor.reader, cursor.pulled_at, cursor.error_message = reader.name, timezone.now(), ""
            cursor.save()
            return Pulled(rows=rows)
        cursor.error_message = " ".join(problems)
        cursor.save(update_fields=["error_message"])
    return Pulled(error=cursor.error_message)


def not_pulled(account: Account, why: str) -> Pulled:
    """For a database that could not even be looked for."""
    VisitCursor.objects.update_or_create(account=account, defaults={"error_message": why})
    return Pulled(error=why)


def _take(cursor: VisitCursor, reader: Reader) -> int:
    """Read, merge, and move the cursor; how many rows were read."""
    since = Mark(cursor.epoch, cursor.position)
    if cursor.pulled_at and timezone.now() - cursor.pulled_at > LATE:
        since = Mark(None, 0)
    with rollup.Stage() as stage:
        mark = reader.read(since, stage)
        assert mark.epoch is not None  # noqa: S101  every database has one
        is_whole = mark.epoch != since.epoch or mark.position < since.position
        rollup.merge(cursor.account, cursor.number_of(mark.epoch), is_whole=is_whole)
    cursor.epoch, cursor.position = mark
    return stage.rows
