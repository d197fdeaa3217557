"""Lists of many rows: a page by keyset, tabs, filters and a search, in a template of our own.

``list_display`` and ``admin.display`` are Django's; what an admin orders by is a column without
nulls that has an index. Nothing is counted that would have to be read to be counted.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from html import escape
from operator import attrgetter
from typing import Any, ClassVar, NamedTuple, TypeVar
from urllib.parse import urlencode

from django.core.exceptions import PermissionDenied
from django.db import connection
from django.db.models import Count, Model, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.safestring import SafeString

from sites import keyset
from sites.admin.base import ModelAdmin
from sites.keyset import Order

Row = TypeVar("Row", bound=Model)
LONGEST_SEARCH = 200
MANY = 1_000
PAGE, SORT, SEARCH = "page", "sort", "q"


class Filter:
    """``parameter`` in the address, ``title`` before its choices.

    ``is_counted``: how many rows each value of its column has is cheap to know.
    ``grouped`` are the values that another has with it: as tabs they would say the same twice.
    """

    grouped: Collection[str] = frozenset()

    def __init__(self, parameter: str, title: str = "", *, is_counted: bool = False) -> None:
        self.parameter = parameter
        self.is_counted = is_counted
        self.title = title or parameter.replace("_", " ").capitalize()

    def choices(self, request: HttpRequest) -> list[tuple[str, str]]:
        """Values for the address, and the words for them."""
        raise NotImplementedError

    def apply(self, rows: QuerySet[Any], value: str) -> QuerySet[Any]:
        raise NotImplementedError


class FieldFilter(Filter):
    """By a column with choices, or one of yes and no. ``groups`` are values of several."""

    def __init__(
        self,
        field: str,
        choices: Iterable[tuple[Any, Any]],
        title: str = "",
        *,
        parameter: str = "",
        groups: dict[str, tuple[str, Sequence[Any]]] | None = None,
        is_counted: bool = False,
    ) -> None:
        super().__init__(parameter or field, title, is_counted=is_counted)
        self.field = field
        self.values = {str(value): value for value, _ in choices}
        self.words = [(str(value), str(words)) for value, words in choices]
        self.groups = groups or {}
        self.grouped = {str(value) for _, values in self.groups.values() for value in values}

    def choices(self, request: HttpRequest) -> list[tuple[str, str]]:
        return [*((value, words) for value, (words, _) in self.groups.items()), *self.words]

    def apply(self, rows: QuerySet[Any], value: str) -> QuerySet[Any]:
        if value in self.groups:
            return rows.filter(**{f"{self.field}__in": self.groups[value][1]})
        return rows.filter(**{self.field: self.values[value]})


class AskedFilter(Filter):
    """By when a row was made: since so many hours."""

    HOURS: ClassVar = {
        "hour": ("Last hour", 1),
        "day": ("Last day", 24),
        "week": ("Last week", 168),
    }

    def choices(self, request: HttpRequest) -> list[tuple[str, str]]:
        return [(value, words) for value, (words, _) in self.HOURS.items()]

    def apply(self, rows: QuerySet[Any], value: str) -> QuerySet[Any]:
        return rows.filter(created_at__gte=self.since(value))

    def since(self, value: str) -> datetime:
        return timezone.now() - timedelta(hours=self.HOURS[value][1])


@dataclass(slots=True)
class Choice:
    words: str
    url: str
    value: str
    is_chosen: bool
    count: int | None = None


@dataclass(frozen=True)
class Shown:
    """A filter as the page shows it."""

    filter: Filter
    choices: list[Choice]

    @property
    def chosen(self) -> str:
        return next((each.value for each in self.choices if each.is_chosen), "")

    @property
    def options(self) -> SafeString:
        """Of its select: over hundreds of teams, a template and format_html take their time."""
        return SafeString("".join(map(_option, self.choices)))


def _option(choice: Choice) -> str:
    words = choice.words if choice.count is None else f"{choice.words} ({choice.count:,})"
    selected = " selected" if choice.is_chosen else ""
    return f'<option value="{escape(choice.value)}"{selected}>{escape(words)}</option>'


class Column(NamedTuple):
    """``shown`` makes a cell of a row; ``order`` is what the column is ordered by, "" for none."""

    name: str
    title: str
    shown: Callable[[Any], Any]
    empty: str
    order: str


class Header(NamedTuple):
    title: str
    url: str = ""
    is_sorted: str = ""  # ascending or descending


class Line(NamedTuple):
    """``cells`` are those after the first, each with its column."""

    pk: Any
    name: str
    url: str
    first: Any
    cells: list[tuple[Column, Any]]


class Asked:
    """What the address asks for; what is no value of a filter counts for nothing."""

    def __init__(self, request: HttpRequest, lists: ListAdmin[Any]) -> None:
        given = request.GET
        self.path = request.path
        self.search = given.get(SEARCH, "").replace("\0", "").strip()[:LONGEST_SEARCH]
        self.cursor = given.get(PAGE, "")
        self.filters = lists.filters
        self.choices = {each.parameter: each.choices(request) for each in self.filters}
        self.values: dict[str, str] = {}
        for parameter, choices in self.choices.items():
            value = given.get(parameter, "")
            if value and value in dict(choices):
                self.values[parameter] = value
        order = given.get(SORT, "")
        self.sort = order if order.removeprefix("-") in lists.orders() else ""
        self.order = Order(self.sort or lists.default_order)

    @property
    def is_narrowed(self) -> bool:
        return bool(self.search or self.values)

    def url(self, **changes: str) -> str:
        """The same list, differently; its first page unless that is one of the changes."""
        asked = {SEARCH: self.search, **self.values, SORT: self.sort, **changes}
        text = urlencode({name: value for name, value in asked.items() if value})
        return f"{self.path}?{text}" if text else self.path

    def narrowed(
        self, lists: ListAdmin[Any], rows: QuerySet[Any], *, but: Filter | None = None
    ) -> QuerySet[Any]:
        for each in self.filters:
            if each is not but and each.parameter in self.values:
                rows = each.apply(rows, self.values[each.parameter])
        return lists.searched(rows, self.search.split()) if self.search else rows


class ListAdmin(ModelAdmin[Row]):
    """``tabs`` is the filter that is shown as a line of links, the others are ``more_filters``."""

    tabs: Filter | None = None
    more_filters: tuple[Filter, ...] = ()
    default_order = "-pk"
    list_template = "sites/list.html"
    list_per_page = 50
    search_hint = ""
    empty = "Nothing is here yet."
    empty_hint = ""

    @property
    def add_title(self) -> str:
        return f"Add {self.opts.verbose_name}"

    @property
    def filters(self) -> tuple[Filter, ...]:
        return (*((self.tabs,) if self.tabs else ()), *self.more_filters)

    def searched(self, rows: QuerySet[Any], words: list[str]) -> QuerySet[Any]:
        """Rows that have each of the words somewhere."""
        for word in words:
            rows = rows.filter(self.matching(word))
        return rows

    def matching(self, word: str) -> Q:
        found = Q()
        for name in self.search_fields:
            found |= Q(**{f"{name}__icontains": word})
        return found

    def prepared(self, request: HttpRequest, rows: list[Any]) -> None:
        """What the rows of a page need besides, in a query for all of them."""

    def row_url(self, row: Any) -> str:
        return reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_change", args=[row.pk])

    def orders(self) -> set[str]:
        """What the list can be ordered by."""
        return {column.order.removeprefix("-") for column in self.columns if column.order}

    # --- The page ---------------------------------------------------------------------------------

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        asked = Asked(request, self)
        rows = asked.narrowed(self, self.get_queryset(request))
        page = keyset.page(rows, asked.order, asked.cursor, self.list_per_page)
        self.prepared(request, page.rows)
        filters = [self._shown(request, asked, each) for each in self.filters]
        context = {
            **self.admin_site.each_context(request),
            "title": str(self.opts.verbose_name_plural).capitalize(),
            "opts": self.opts,
            "asked": asked,
            "page": page,
            "headers": [self._header(column, asked) for column in self.columns],
            "lines": [self._line(row) for row in page.rows],
            "tabs": filters[0] if self.tabs else None,
            "filters": filters[1 if self.tabs else 0 :],
            "total": self._total(request, asked, filters),
            "previous_url": asked.url(page=page.previous) if page.previous else "",
            "next_url": asked.url(page=page.next) if page.next else "",
            "first_url": asked.url(),
            "add_url": self._add_url(request),
            "lists": self,
            **(extra_context or {}),
        }
        return TemplateResponse(request, self.list_template, context)

    @cached_property
    def columns(self) -> list[Column]:
        return [self._column(str(name)) for name in self.list_display]

    def _column(self, name: str) -> Column:
        found = getattr(self, name, None)
        title = getattr(found, "short_description", "") or name.replace("_", " ")
        return Column(
            name=name,
            title=str(title).capitalize(),
            shown=found if callable(found) else attrgetter(name),
            empty=getattr(found, "empty_value_display", "") or "–",
            order=getattr(found, "admin_order_field", None) or "",
        )

    def _header(self, column: Column, asked: Asked) -> Header:
        if not column.order:
            return Header(column.title)
        order = column.order.removeprefix("-")
        if asked.order.column != order:
            return Header(column.title, asked.url(sort=column.order))
        if asked.order.is_descending:
            return Header(column.title, asked.url(sort=order), "descending")
        return Header(column.title, asked.url(sort=f"-{order}"), "ascending")

    def _line(self, row: Any) -> Line:
        values = [column.shown(row) for column in self.columns]
        cells = [
            (column, column.empty if value in (None, "") else value)
            for column, value in zip(self.columns, values, strict=True)
        ]
        return Line(row.pk, str(row), self.row_url(row), cells[0][1], cells[1:])

    def _shown(self, request: HttpRequest, asked: Asked, each: Filter) -> Shown:
        name, chosen = each.parameter, asked.values.get(each.parameter, "")
        counts = self._counts(request, asked, each)
        choices = [
            Choice(
                words=words,
                url=asked.url(**{name: value}) if each is self.tabs else "",
                value=value,
                is_chosen=value == chosen,
                count=None if counts is None else counts.get(value, 0),
            )
            for value, words in [("", "All"), *asked.choices[name]]
            if each is not self.tabs or value == chosen or value not in each.grouped
        ]
        return Shown(each, choices)

    def _counts(self, request: HttpRequest, asked: Asked, each: Filter) -> dict[str, int] | None:
        """By the values of its column, of what the other filters let through."""
        if not (each.is_counted and isinstance(each, FieldFilter)):
            return None
        rows = asked.narrowed(self, self.counted(request), but=each)
        found = rows.order_by().values_list(each.field)
        from_one = dict(found.annotate(count=Count("pk")))
        counts = {str(value): count for value, count in from_one.items()}
        for value, (_, members) in each.groups.items():
            counts[value] = sum(from_one.get(member, 0) for member in members)
        return {"": sum(from_one.values()), **counts}

    def counted(self, request: HttpRequest) -> QuerySet[Any]:
        """The rows to count: without what only a page of them needs."""
        return self.get_queryset(request)

    def _total(self, request: HttpRequest, asked: Asked, filters: list[Shown]) -> str:
        """How many there are, as far as that is cheap to know."""
        for each in filters:
            for choice in each.choices:
                if choice.is_chosen and choice.count is not None:
                    return f"{choice.count:,}"
        if asked.is_narrowed or not request.user.is_superuser:
            return ""
        count = about(self.model)
        return f"about {count:,}" if count is not None and count > MANY else ""

    def _add_url(self, request: HttpRequest) -> str:
        if not self.has_add_permission(request):
            return ""
        try:
            return reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_add")
        except NoReverseMatch:
            return ""


def about(model: type[Model]) -> int | None:
    """About how many rows its table has, as PostgreSQL's statistics say; None before there are."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT reltuples::bigint FROM pg_class WHERE oid = %s::regclass",
            [model._meta.db_table],
        )
        (count,) = cursor.fetchone() or (-1,)
    return int(count) if count >= 0 else None
