"""Pulls what the counters counted: one query for all sites of a database.

Rows come as absolute values, from a position that never skips a row (see ``changed`` in
``lambda_src/counter/schema.sql``), and rows and cursor are written in one transaction: a pull that
is killed, repeated or run twice at once leaves the same numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, NamedTuple
from uuid import UUID

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


def pull(
    account: Account,
    readers: Iterable[Reader],
    former: Mapping[str, Iterable[Reader]] = MappingProxyType({}),
) -> Pulled:
    """Bring the account's statistics up to date by the first reader that can read.

    ``former``: readers of other databases in which sites still count, by their addresses. Each is
    an epoch of its own, so what it tells is added.

    Never raises for a database that cannot be read: the reasons are in the answer and on the
    cursor.
    """
    VisitCursor.objects.get_or_create(account=account)
    rows, problems = 0, []
    with transaction.atomic():
        # Locked while reading: of two at once, the one that read earlier must not write later.
        cursor = VisitCursor.objects.select_for_update(no_key=True).get(account=account)
        try:
            taken = _take(cursor, readers, Mark(cursor.epoch, cursor.position, cursor.pulled_at))
        except Unreadable as error:
            problems.append(str(error))
        else:
            rows += taken.rows
            cursor.epoch, cursor.position, cursor.pulled_at = taken.mark
            cursor.reader = taken.reader
        cursor.former = {at: mark for at, mark in cursor.former.items() if at in former}
        for address, others in former.items():
            try:
                taken = _take(cursor, others, _mark(cursor.former.get(address)))
            except Unreadable as error:
                problems.append(f"Of sites that are not provisioned anew: {error}")
            else:
                rows += taken.rows
                cursor.former[address] = _json(taken.mark)
        cursor.error_message = " ".join(problems)
        cursor.save()
    return Pulled(rows, cursor.error_message)


def not_pulled(account: Account, why: str) -> Pulled:
    """For a database that could not even be looked for."""
    VisitCursor.objects.update_or_create(account=account, defaults={"error_message": why})
    return Pulled(error=why)


class Taken(NamedTuple):
    rows: int
    mark: Mark
    reader: VisitCursor.Reader


def _take(cursor: VisitCursor, readers: Iterable[Reader], since: Mark) -> Taken:
    """Read by the first that can, and merge. Raises Unreadable with what each of them said."""
    if since.read_at and timezone.now() - since.read_at > LATE:
        since = Mark(None, 0)
    problems = []
    for reader in readers:
        try:
            with transaction.atomic(), rollup.Stage() as stage:
                mark = reader.read(since, stage)
                assert mark.epoch is not None  # noqa: S101  every database has one
                is_whole = mark.epoch != since.epoch or mark.position < since.position
                rollup.merge(cursor.account, cursor.number_of(mark.epoch), is_whole=is_whole)
        except Unreadable as error:
            problems.append(str(error))
        else:
            return Taken(stage.rows, mark._replace(read_at=timezone.now()), reader.name)
    raise Unreadable(" ".join(problems))


def _mark(known: Sequence[Any] | None) -> Mark:
    """As ``VisitCursor.former`` has it."""
    if known is None:
        return Mark(None, 0)
    epoch, position, read_at = known
    return Mark(UUID(epoch), position, datetime.fromisoformat(read_at))


def _json(mark: Mark) -> list[Any]:
    assert mark.read_at is not None  # noqa: S101
    return [str(mark.epoch), mark.position, mark.read_at.isoformat()]
