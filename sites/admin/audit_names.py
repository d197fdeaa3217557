"""What the foreign keys in entries of the audit log stand for, by the names of their rows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from django.apps import apps
from django.db.models import BinaryField, ForeignKey, Model, QuerySet

from sites.models import AuditEntry, Site, Team
from sites.people import visible

Names = Mapping[tuple[str, Any], str]


@cache
def references(table: str) -> dict[str, type[Model]]:
    """The columns of a table that refer to rows of a model."""
    model = _models().get(table)
    if model is None:
        return {}
    keys = [field for field in model._meta.concrete_fields if isinstance(field, ForeignKey)]
    return {field.column: field.remote_field.model for field in keys}


def names_of(user: Any, entries: Iterable[AuditEntry]) -> Names:
    """By table and primary key, in a query or two for each table that is referred to.

    A row of a site or a team that the person may not see keeps its number.
    """
    wanted: dict[type[Model], set[Any]] = defaultdict(set)
    for entry in entries:
        for column, model in references(entry.table).items():
            told = ((entry.before or {}).get(column), (entry.after or {}).get(column))
            wanted[model] |= {pk for pk in told if pk is not None}
    return {
        (model._meta.db_table, pk): name
        for model, pks in wanted.items()
        if pks
        for pk, name in _names(user, model, pks).items()
    }


def _names(user: Any, model: type[Model], pks: set[Any]) -> dict[Any, str]:
    names = {row.pk: str(row) for row in _seen(user, _rows(model, pks))}
    if missing := pks - names.keys():
        word = model._meta.verbose_name
        names |= {pk: f"{word} {pk} (gone)" for pk in missing}
        hidden = model._base_manager.filter(pk__in=missing).values_list("pk", flat=True)
        names |= {pk: f"{word} {pk}" for pk in hidden}
    return names


def named(names: Names, entry: AuditEntry, column: str, value: Any) -> Any:
    model = references(entry.table).get(column)
    return value if model is None else names.get((model._meta.db_table, value), value)


@cache
def _models() -> dict[str, type[Model]]:
    return {each._meta.db_table: each for each in apps.get_models(include_auto_created=True)}


def _rows(model: type[Model], pks: set[Any]) -> QuerySet[Any]:
    """With what their names are made of, and without what is large."""
    fields = model._meta.concrete_fields
    above = [each.name for each in fields if isinstance(each, ForeignKey) and not each.null]
    large = [each.name for each in fields if isinstance(each, BinaryField)]
    return model._base_manager.filter(pk__in=pks).select_related(*above).defer(*large)


def _seen(user: Any, rows: QuerySet[Any]) -> QuerySet[Any]:
    if issubclass(rows.model, Site | Team):
        return visible(user, rows)
    is_of_site = any(field.name == "site" for field in rows.model._meta.concrete_fields)
    return visible(user, rows, path="site") if is_of_site else rows
