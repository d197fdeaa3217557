"""Questions about visits, one query each. Days are UTC days; bots are in none of the answers."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

from django.db.models import QuerySet, Sum

from sites.models import Site, VisitCount


class Day(NamedTuple):
    date: date
    pageviews: int
    visits: int


class PathCount(NamedTuple):
    path: str
    pageviews: int
    visits: int


def total(site: Site) -> int:
    """All pageviews of the site that were pulled so far."""
    return totals([site])[site.pk]


def totals(sites: Iterable[Site]) -> dict[int, int]:
    """The total of every site by its primary key, 0 for a site without visits."""
    keys = [site.pk for site in sites]
    sums = VisitCount.objects.filter(site__in=keys).values_list("site").annotate(Sum("pageviews"))
    return dict.fromkeys(keys, 0) | dict(sums.order_by())


def daily(site: Site, days: int) -> list[Day]:
    """The last ``days`` days, today last, quiet days included."""
    counts = {
        row["date"]: Day(**row)
        for row in _last(site, days)
        .values("date")
        .annotate(pageviews=Sum("pageviews"), visits=Sum("visits"))
        .order_by()
    }
    first = _today() - timedelta(days=days - 1)
    every_day = (first + timedelta(days=n) for n in range(days))
    return [counts.get(day, Day(day, 0, 0)) for day in every_day]


def top_paths(site: Site, days: int, limit: int = 10) -> list[PathCount]:
    """The most viewed paths of the last ``days`` days."""
    rows = (
        _last(site, days)
        .values("path")
        .annotate(pageviews=Sum("pageviews"), visits=Sum("visits"))
        .filter(pageviews__gt=0)
        .order_by("-pageviews", "path")[:limit]
    )
    return [PathCount(**row) for row in rows]


def _last(site: Site, days: int) -> QuerySet[VisitCount]:
    today = _today()
    return VisitCount.objects.filter(
        site=site, date__gt=today - timedelta(days=days), date__lte=today
    )


def _today() -> date:
    return datetime.now(UTC).date()
