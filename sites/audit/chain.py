"""Whether the log is whole. Each entry has the digest of the one before it.

The digests are computed here, not by the functions of the database that is looked at.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from django.db import connection
from django.db.models import QuerySet, TextField
from django.db.models.expressions import RawSQL

from sites.audit.tables import OPTIONAL, TABLES
from sites.models import AuditEntry

# As in the migration; a part of it cannot be changed without breaking the chain.
TEXT = """jsonb_build_array(number, id, to_char(at AT TIME ZONE 'UTC',
    'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), actor_id, actor, via, address, request, act, table_name,
    row_id, label, site_id, site_name, team_id, before, after)::text"""
# Triggers of the log itself, and of each watched table.
OWN = ("audit_begin", "audit_refuse", "audit_refuse_truncate", "audit_seal")
CHUNK = 1_000
AUDITED = ("audit", "audit_truncate")
# More are counted, not told.
TOLD = 50


@dataclass
class Verdict:
    """``problems`` are sentences, ``TOLD`` at most; ``head`` is the last digest."""

    entries: int = 0
    number: int = 0
    head: str = ""
    count: int = 0
    problems: list[str] = field(default_factory=list)
    is_expected_found: bool = False

    def blame(self, problem: str) -> None:
        self.count += 1
        if len(self.problems) < TOLD:
            self.problems.append(problem)


def verify(expect: str = "") -> Verdict:
    """Walk the whole log, in constant memory.

    ``expect`` is a digest that was the head once and was kept elsewhere: without one, entries that
    were cut off the end are not missed.
    """
    verdict = Verdict(is_expected_found=not expect)
    for entry in _sealed().iterator(chunk_size=CHUNK):
        _look(verdict, entry)
        verdict.is_expected_found |= entry.digest == expect
    for entry in AuditEntry.objects.filter(number__isnull=True)[:TOLD]:
        verdict.blame(f"The entry with id {entry.pk} is not in the chain: it was put in by force.")
    if not verdict.is_expected_found:
        verdict.blame(
            f"No entry has the digest {expect}: entries were cut off the end, or the log was "
            "written anew from some entry on."
        )
    for problem in _triggers_missing():
        verdict.blame(problem)
    return verdict


def _sealed() -> QuerySet[AuditEntry]:
    rows = AuditEntry.objects.filter(number__isnull=False).order_by("number")
    text = RawSQL(TEXT, (), output_field=TextField())  # noqa: S611  words of our own
    return rows.annotate(text=text).only("number", "previous", "digest", "at")


def _look(verdict: Verdict, entry: AuditEntry) -> None:
    number = entry.number or 0
    text: str = entry.text  # type: ignore[attr-defined]  # annotated
    if number != verdict.number + 1:
        gone = f"{verdict.number + 1}" + (
            f" to {number - 1}" if number > verdict.number + 2 else ""
        )
        verdict.blame(
            f"No. {gone} {'are' if ' ' in gone else 'is'} missing: removed before No. {number} of "
            f"{entry.at:%Y-%m-%d %H:%M:%S} UTC."
        )
    elif entry.previous != verdict.head:
        verdict.blame(
            f"No. {number} of {entry.at:%Y-%m-%d %H:%M:%S} UTC does not follow the entry before "
            "it: one of the two was replaced."
        )
    if hashlib.sha256((entry.previous + text).encode()).hexdigest() != entry.digest:
        verdict.blame(
            f"No. {number} of {entry.at:%Y-%m-%d %H:%M:%S} UTC was changed after it was written."
        )
    verdict.entries += 1
    verdict.number, verdict.head = number, entry.digest


def _triggers_missing() -> list[str]:
    """Tables that nobody watches (any more)."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT tgrelid::regclass::text, tgname FROM pg_trigger WHERE tgenabled IN ('O', 'A')"
        )
        there = set(cursor.fetchall())
    tables = {*TABLES} - ({OPTIONAL} - {*connection.introspection.table_names()})
    wanted = {(table, name) for table in tables for name in AUDITED}
    wanted |= {(AuditEntry._meta.db_table, name) for name in OWN}
    return [
        f"The trigger {name} of {table} is missing or switched off: what happens there is not seen."
        for table, name in sorted(wanted - there)
    ]
