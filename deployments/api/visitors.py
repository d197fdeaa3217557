"""Who visits the token's site, as numbers."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Any

from django.http import HttpRequest
from ninja import Field, Query, Router, Schema

from deployments.api.access import site_of
from deployments.api.problems import ApiError, refusals
from deployments.models import Scope
from sites.models import Kind
from sites.visits import query
from sites.visits.breakdowns import BY_SLUG
from sites.visits.ranges import DEFAULT, Range

PAGE = 1000
LARGEST = 2**31 - 1

router = Router(tags=["visitors"])


class Breakdown(StrEnum):
    """What visits are divided by, and the reasons for which hits were left out."""

    PAGES = "pages"
    REFERRERS = "referrers"
    COUNTRIES = "countries"
    DEVICES = "devices"
    DEPLOYMENTS = "deployments"
    LEFT_OUT = "left-out"


Words = Annotated[
    str,
    Query(
        max_length=40,
        description="24h, 7d, 30d, 90d, 12m, all, or two days as in “2026-01-01/2026-01-31”. UTC.",
    ),
]


class SumsOut(Schema):
    """Bots are in none of the others."""

    pageviews: int
    visits: int
    visitors: int = Field(description="Of each day; who came on two days is two of them.")
    bots: int


class PointOut(SumsOut):
    at: datetime = Field(description="Where the hour, day or month begins.")


class VisitorsOut(Schema):
    first: date
    last: date
    total: int = Field(description="All pageviews ever: the number that the page shows.")
    sums: SumsOut
    previous: SumsOut = Field(description="Of the same length, before it.")
    series: list[PointOut]


class RowOut(SumsOut):
    value: str = Field(description="Of countries ISO 3166-1 alpha-2. Empty: unknown, or none.")
    share: float = Field(ge=0, le=1)


class RowsOut(Schema):
    first: date
    last: date
    rows: list[RowOut]
    next: int | None = Field(description="Pass it as “offset” for more rows; None at the end.")


@router.get("/sites/{site}/visitors", response={200: VisitorsOut, **refusals(422)})
def get_visitors(request: HttpRequest, site: str, range: Words = DEFAULT) -> dict[str, Any]:
    """Sums, and a line of hours, days or months. Scope: read."""
    row = site_of(request, site, Scope.READ)
    found = _range(range, query.first_day([row]))
    return {
        "first": found.first,
        "last": found.last,
        "total": query.total(row),
        "sums": query.sums([row], found),
        "previous": query.sums([row], found.previous),
        "series": query.series([row], found),
    }


@router.get("/sites/{site}/visitors/{kind}", response={200: RowsOut, **refusals(422)})
def list_visitors_by(
    request: HttpRequest,
    site: str,
    kind: Breakdown,
    range: Words = DEFAULT,
    limit: Annotated[int, Query(ge=1, le=PAGE)] = 100,
    offset: Annotated[int, Query(ge=0, le=LARGEST)] = 0,
) -> dict[str, Any]:
    """What was visited most, the most first; of what was left out, the reasons. Scope: read."""
    row = site_of(request, site, Scope.READ)
    found = _range(range, query.first_day([row]))
    number = BY_SLUG[kind].kind if kind in BY_SLUG else Kind.LEFT_OUT
    rows = query.top([row], found, number, limit + 1, offset)
    return {
        "first": found.first,
        "last": found.last,
        "rows": rows[:limit],
        "next": offset + limit if len(rows) > limit else None,
    }


def _range(words: str, first_day: date | None) -> Range:
    try:
        return Range.parse(words, first_day=first_day)
    except ValueError as error:
        raise ApiError(422, f"range: {error}") from error
