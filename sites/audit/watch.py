"""Which tables the audit log watches, and how, as operations of migrations.

The triggers name no column, so that columns can be changed and taken away without touching them;
what they leave out and what they hide they are told by name.
"""

from __future__ import annotations

from collections.abc import Iterable

from django.db import connections
from django.db.migrations import RunSQL

from sites.audit.tables import OPTIONAL

TRIGGERS = ("audit", "audit_truncate")


def watch(table: str, *, ignored: Iterable[str] = (), secret: Iterable[str] = ()) -> RunSQL:
    """Each row that is added, changed or deleted; a change of ``ignored`` columns alone is none."""
    return _triggers(table, "INSERT OR UPDATE OR DELETE", "", ",".join(ignored), ",".join(secret))


def watch_requests(table: str, *, ignored: Iterable[str] = ()) -> RunSQL:
    """Rows that are asked for; what becomes of them is their own history."""
    return _triggers(table, "INSERT", "", ",".join(ignored), "")


def watch_flips(table: str, column: str, *, ignored: Iterable[str] = ()) -> RunSQL:
    """One column alone, where the rest changes all the time."""
    when = f"WHEN (OLD.{column} IS DISTINCT FROM NEW.{column})"
    return _triggers(table, "UPDATE", when, ",".join(ignored), "", only=column)


def watch_optional(using: str, **_: object) -> None:
    """After each migration: what no migration of ours can wait for."""
    there = "to_regclass(%s) IS NOT NULL AND to_regproc('sites_audit_row') IS NOT NULL"
    watched = "SELECT FROM pg_trigger WHERE tgname = 'audit' AND tgrelid = to_regclass(%s)"
    with connections[using].cursor() as cursor:
        cursor.execute(f"SELECT {there} AND NOT EXISTS ({watched})", [OPTIONAL, OPTIONAL])
        if cursor.fetchone()[0]:
            triggers = watch(OPTIONAL, ignored=["last_login"], secret=["extra_data"])
            for statement in triggers.sql:
                cursor.execute(str(statement))


def _triggers(
    table: str, events: str, when: str, ignored: str, secret: str, only: str = ""
) -> RunSQL:
    """All names come from our own migrations."""
    return RunSQL(
        [
            f"CREATE TRIGGER audit AFTER {events} ON {table} FOR EACH ROW {when} "
            f"EXECUTE FUNCTION sites_audit_row('{ignored}', '{secret}', '{only}')",
            f"CREATE TRIGGER audit_truncate AFTER TRUNCATE ON {table} FOR EACH STATEMENT "
            "EXECUTE FUNCTION sites_audit_truncate()",
        ],
        [f"DROP TRIGGER IF EXISTS {name} ON {table}" for name in TRIGGERS],
    )
