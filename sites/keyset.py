"""Pages of a list without counting it: each begins after the last row of the one before.

A page is found by the values of one row, its cursor, and so costs the same wherever it is, and
stays where it is while rows come in. The sort key is a column that is never null, then the primary
key, so that no two rows are at the same place.
https://use-the-index-luke.com/no-offset
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from django.core.exceptions import ValidationError
from django.core.serializers.json import DjangoJSONEncoder
from django.db.models import Field, Model, Q, QuerySet

Row = TypeVar("Row", bound=Model)
LONGEST = 1_000


@dataclass(frozen=True)
class Page(Generic[Row]):
    """``previous`` and ``next`` are cursors for the pages before and after, "" where none is."""

    rows: list[Row] = field(default_factory=list)
    previous: str = ""
    next: str = ""
    is_beyond: bool = False  # a cursor was given, and there is nothing there any more


@dataclass(frozen=True)
class Order:
    """By a column, then by the primary key; a minus is for the greatest first."""

    name: str

    @property
    def column(self) -> str:
        return self.name.removeprefix("-")

    @property
    def is_descending(self) -> bool:
        return self.name.startswith("-")

    def fields(self, *, backwards: bool = False) -> list[str]:
        sign = "-" if self.is_descending != backwards else ""
        names = ["pk"] if self.column == "pk" else [self.column, "pk"]
        return [sign + name for name in names]

    def beyond(self, value: Any, pk: Any, *, backwards: bool = False) -> Q:
        word = "lt" if self.is_descending != backwards else "gt"
        if self.column == "pk":
            return Q(**{f"pk__{word}": pk})
        # The first of the two lets an index be read from there on.
        return Q(**{f"{self.column}__{word}e": value}) & (
            Q(**{f"{self.column}__{word}": value}) | Q(**{f"pk__{word}": pk})
        )


def page(rows: QuerySet[Row], order: Order, cursor: str = "", size: int = 50) -> Page[Row]:
    """The page that a cursor leads to; the first one for a cursor that is none."""
    place = _place(rows.model, order, cursor)
    backwards = place is not None and cursor.startswith("b")
    if place is not None:
        rows = rows.filter(order.beyond(*place, backwards=backwards))
    ordered = rows.order_by(*order.fields(backwards=backwards))
    found = list(ordered[: size + 1])
    has_more, found = len(found) > size, found[:size]
    if backwards:
        found.reverse()
    if not found:
        return Page(is_beyond=place is not None)
    has_previous, has_next = (has_more, True) if backwards else (place is not None, has_more)
    return Page(
        rows=found,
        previous=_cursor("b", found[0], order) if has_previous else "",
        next=_cursor("a", found[-1], order) if has_next else "",
    )


def _cursor(side: str, row: Model, order: Order) -> str:
    value = None if order.column == "pk" else getattr(row, order.column)
    text = json.dumps([_exact(value), row.pk], cls=DjangoJSONEncoder, separators=(",", ":"))
    return side + base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _exact(value: Any) -> Any:
    """Django's encoder would cut a time to milliseconds."""
    return value.isoformat() if hasattr(value, "isoformat") else value


def _place(model: type[Model], order: Order, cursor: str) -> tuple[Any, Any] | None:
    """The values in a cursor, or None when it is none of ours."""
    if cursor[:1] not in ("a", "b") or len(cursor) > LONGEST:
        return None
    text = cursor[1:] + "=" * (-len(cursor[1:]) % 4)
    try:
        value, pk = json.loads(base64.urlsafe_b64decode(text))
        pk = _kept(model._meta.pk.to_python(pk))
        if order.column == "pk":
            return None, pk
        column: Field[Any, Any] = model._meta.get_field(order.column)  # type: ignore[assignment]
        return _kept(column.to_python(value)), pk
    except (ValueError, TypeError, binascii.Error, ValidationError, RecursionError):
        return None


def _kept(value: Any) -> Any:
    """Raises ValueError for what no column of the database holds."""
    is_number = isinstance(value, int) and -(2**63) <= value < 2**63
    if value is None or (isinstance(value, int) and not is_number):
        raise ValueError("no such row")
    if "\0" in str(value) or not str(value).encode():
        raise ValueError("no such text")
    return value
