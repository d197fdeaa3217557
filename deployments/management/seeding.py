"""Thousands of sites made inside PostgreSQL, to try the dashboard on; nothing of them is on AWS.

What belongs to them is known by their accounts, whose AWS ids begin with ``ACCOUNTS``. Triggers and
checks are off meanwhile and indexes are made afterwards, which makes a million rows a matter of
seconds; both need a superuser of the database, which the embedded default has.
"""

# ruff: noqa: S608  every word of the SQL is our own

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection, models, transaction
from django.utils import timezone

from deployments.management.seeded_rows import ACCOUNTS, Seed, tables
from deployments.models import Deployment
from sites.models import Account, Site, Team

Tell = Callable[[str], object]
# What the triggers on days would have written.
OVERALL = """
    INSERT INTO sites_overallday (kind, day, value, pageviews, visits, visitors, bots)
    SELECT kind, day, value, sum(pageviews), sum(visits), sum(visitors), sum(bots)
    FROM sites_visitday WHERE kind IN (0, 2, 3, 4, 7) GROUP BY kind, day, value
"""


def strangers() -> int:
    """How many sites were not made here."""
    return Site.objects.exclude(account__aws_account_id__startswith=ACCOUNTS).count()


def fill(sites: int, deployments: int, tell: Tell) -> None:
    """Make so many sites, each with its share of the deployments."""
    seed = Seed(
        account=_first(Account),
        team=_first(Team),
        site=_first(Site),
        deployment=_first(Deployment),
        sites=sites,
        rounds=max(1, deployments // sites),
    )
    made = []
    with _quickly() as cursor:
        for model, columns, source in tables(seed):
            with _without_indexes(cursor, model):
                count = _insert(cursor, model, columns, source)
            _go_on_after(cursor, model)
            made.append(model)
            tell(f"{count:,} {model._meta.verbose_name_plural}")
        cursor.execute("DELETE FROM sites_overallday")
        cursor.execute(OVERALL)
    with connection.cursor() as cursor:
        for model in made:
            cursor.execute(f"VACUUM (ANALYZE) {_table(model)}")


def remove(tell: Tell) -> None:
    """Everything that belongs to the accounts, the accounts, and teams without anybody in them."""
    with _quickly() as cursor:
        cursor.execute("CREATE TEMP TABLE left_team ON COMMIT DROP AS SELECT id FROM sites_team")
        cursor.execute(
            "DELETE FROM left_team WHERE id NOT IN (SELECT team_id FROM sites_site s JOIN "
            f"sites_account a ON a.id = s.account_id WHERE a.aws_account_id LIKE '{ACCOUNTS}%' "
            "AND team_id IS NOT NULL) OR id IN (SELECT team_id FROM sites_membership "
            "WHERE team_id IS NOT NULL)"
        )
        _remove(cursor, Account, f"aws_account_id LIKE '{ACCOUNTS}%'", tell)
        _remove(cursor, Team, "id IN (SELECT id FROM left_team)", tell)
        cursor.execute("DELETE FROM sites_overallday")
        cursor.execute(OVERALL)


@contextmanager
def _quickly() -> Iterator[Any]:
    """A transaction in which no trigger runs, not even those that check foreign keys."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute("SET LOCAL maintenance_work_mem = '256MB'")
        cursor.execute("SET LOCAL work_mem = '64MB'")
        yield cursor


@contextmanager
def _without_indexes(cursor: Any, model: type[models.Model]) -> Iterator[None]:
    """Without those that are no constraints, which are made again at the end."""
    cursor.execute(
        "SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index "
        "WHERE indrelid = %s::regclass AND NOT EXISTS "
        "(SELECT 1 FROM pg_constraint WHERE conindid = indexrelid)",
        [model._meta.db_table],
    )
    indexes = cursor.fetchall()
    for name, _ in indexes:
        cursor.execute(f"DROP INDEX {name}")
    yield
    for _, definition in indexes:
        cursor.execute(definition)


def _first(model: type[models.Model]) -> int:
    """The next primary key."""
    return int(model._default_manager.aggregate(last=models.Max("pk"))["last"] or 0) + 1


def _go_on_after(cursor: Any, model: type[models.Model]) -> None:
    """Rows that come later are numbered after those that were numbered here."""
    if isinstance(model._meta.pk, models.AutoField):
        table = _table(model)
        cursor.execute(
            f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), (SELECT max(id) FROM {table}))"
        )


def _insert(cursor: Any, model: type[models.Model], columns: dict[str, str], source: str) -> int:
    """What is not told is as a new row of the model has it."""
    fields = [
        field
        for field in model._meta.concrete_fields
        if field.column in columns or not isinstance(field, models.AutoField)
    ]
    values: list[Any] = []
    expressions = []
    for field in fields:
        if field.column in columns:
            expressions.append(columns[field.column].replace("%", "%%"))
        else:
            now = timezone.now() if getattr(field, "auto_now_add", False) else None
            values.append(field.get_db_prep_save(now or field.get_default(), connection))
            expressions.append("%s")
    names = ", ".join(connection.ops.quote_name(str(field.column)) for field in fields)
    source = source.replace("%", "%%")
    cursor.execute(
        f"INSERT INTO {_table(model)} ({names}) SELECT {', '.join(expressions)} FROM {source}",
        values,
    )
    return int(cursor.rowcount)


def _remove(cursor: Any, model: type[models.Model], condition: str, tell: Tell) -> None:
    """The rows, and before them all that refer to them."""
    found = f"SELECT id FROM {_table(model)} WHERE {condition}"
    for relation in model._meta.related_objects:
        other: Any = relation.related_model
        field: Any = relation.field
        if field.many_to_many or other is model:
            continue
        column = connection.ops.quote_name(str(field.attname))
        if relation.on_delete is models.SET_NULL and "site" not in field.name:
            cursor.execute(
                f"UPDATE {_table(other)} SET {column} = NULL WHERE {column} IN ({found})"
            )
        elif isinstance(other._meta.pk, models.CompositePrimaryKey):
            cursor.execute(f"DELETE FROM {_table(other)} WHERE {column} IN ({found})")
        else:
            _remove(cursor, other, f"{column} IN ({found})", tell)
    cursor.execute(f"DELETE FROM {_table(model)} WHERE {condition}")
    if cursor.rowcount:
        tell(f"{cursor.rowcount:,} {model._meta.verbose_name_plural}")


def _table(model: type[models.Model]) -> str:
    return str(connection.ops.quote_name(model._meta.db_table))
