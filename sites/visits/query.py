"""Questions about visits, one query each. Times are UTC; bots are in ``bots`` and nowhere else.

``sites`` of None means all sites; a QuerySet of some of them is asked within the same query. Whole
days are answered from ``VisitDay``, of all sites together from ``OverallDay``, which also have what
was imported; hours from ``VisitCount``, as long as they are kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple

from django.db.models import F, Func, OuterRef, QuerySet, Subquery, Sum, Window
from django.db.models.functions import TruncMonth

from sites.models import Kind, OverallDay, Site, VisitCount, VisitDay
from sites.visits.ranges import Range, Step, midnight
from sites.visits.retention import kept_since

__all__ = ["Point", "Range", "Row", "SiteRow", "Sums"]

Sites = Sequence[Site] | QuerySet[Site] | None
MINUTE, LIVE = timedelta(minutes=1), 60
MEASURES = ("pageviews", "visits", "visitors", "bots")
# A page and a deployment are seen; people come from a place, with a device.
MEASURE = {Kind.PATH: "pageviews", Kind.DEPLOYMENT: "pageviews", Kind.LEFT_OUT: "pageviews"}


class Sums(NamedTuple):
    pageviews: int = 0
    visits: int = 0
    visitors: int = 0
    bots: int = 0


class Point(NamedTuple):
    """``at`` is where the hour, day, month or minute begins."""

    at: datetime
    pageviews: int = 0
    visits: int = 0
    visitors: int = 0
    bots: int = 0


class Row(NamedTuple):
    """``share`` is a part of 1, of what MEASURE has for the kind, or of the visits."""

    value: str
    pageviews: int
    visits: int
    visitors: int
    bots: int
    share: float


class SiteRow(NamedTuple):
    site_id: int
    name: str
    pageviews: int
    visits: int
    visitors: int
    bots: int
    share: float


class SumOver(Func):
    """The sum of an aggregate over all groups, which Sum refuses to be."""

    function = "SUM"
    window_compatible = True


def total(site: Site) -> int:
    """All pageviews of the site that were pulled so far."""
    return totals([site])[site.pk]


def totals(sites: Iterable[Site]) -> dict[int, int]:
    """The total of every site by its primary key, 0 for a site without visits."""
    keys = [site.pk for site in sites]
    days = VisitDay.objects.filter(site__in=keys, kind=Kind.ALL)
    return dict.fromkeys(keys, 0) | dict(days.values_list("site").annotate(Sum("pageviews")))


def first_day(sites: Sites = None) -> date | None:
    """The first day that was counted or imported, of these sites or of all."""
    days = (
        OverallDay.objects.exclude(pageviews=0, bots=0)
        if sites is None
        else VisitDay.objects.filter(site__in=sites)
    )
    return days.filter(kind=Kind.ALL).order_by("day").values_list("day", flat=True).first()


def sums(sites: Sites, range: Range) -> Sums:
    found = _rows(sites, range, Kind.ALL).aggregate(**_sums())
    return Sums(**{name: value or 0 for name, value in found.items()})


def series(sites: Sites, range: Range, step: Step | None = None) -> list[Point]:
    """The line of the range, quiet hours, days or months included; none of the time to come."""
    step = step or step_of(range)
    rows = _hours(sites, range, Kind.ALL) if step is Step.HOUR else _rows(sites, range, Kind.ALL)
    at: Any = {Step.HOUR: F("hour"), Step.DAY: F("day"), Step.MONTH: TruncMonth("day")}[step]
    found = {
        _moment(row["at"]): [row[name] for name in MEASURES]
        for row in rows.values(at=at).annotate(**_sums())
    }
    now = datetime.now(UTC)
    return [Point(at, *found.get(at, ())) for at in range.moments(step) if at <= now]


def step_of(range: Range) -> Step:
    """What its line is drawn by: of hours that are gone, the days are left."""
    is_gone = range.first < kept_since(Kind.ALL, datetime.now(UTC).date())
    return Step.DAY if range.is_short and is_gone else range.step


def top(
    sites: Sites, range: Range, kind: Kind, limit: int | None = 10, offset: int = 0
) -> list[Row]:
    """What was counted most, the most first; ``limit`` of None gives all of it."""
    rows = _ranked(_rows(sites, range, kind).values("value"), MEASURE.get(kind, "visits"))
    ordered = rows.order_by("-rank", "-pageviews", "value")
    return [Row(**_shared(row)) for row in ordered[_part(limit, offset)]]


def by_site(
    range: Range, limit: int | None = 10, offset: int = 0, *, sites: Sites = None
) -> list[SiteRow]:
    """The sites that were visited most, the most first."""
    name = Site.objects.filter(pk=OuterRef("site_id")).values("name")
    counted = _of_sites(range, Kind.ALL)
    counted = counted if sites is None else counted.filter(site__in=sites)
    rows = _ranked(counted.values("site_id"), "visits")
    ordered = rows.annotate(name=Subquery(name)).order_by("-rank", "-pageviews", "site_id")
    return [SiteRow(**_shared(row)) for row in ordered[_part(limit, offset)]]


def live(site: Site) -> list[Point]:
    """The last 60 minutes, this one last."""
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    minutes = [now - n * MINUTE for n in reversed(range(LIVE))]
    hours = {at.replace(minute=0) for at in minutes}
    rows: QuerySet[Any] = VisitCount.objects.filter(site=site, kind=Kind.MINUTE, hour__in=hours)
    found = {
        row["hour"] + int(row["value"]) * MINUTE: [row[name] for name in MEASURES]
        for row in rows.values("hour", "value").annotate(**_sums())
    }
    return [Point(at, *found.get(at, ())) for at in minutes]


def left_out(site: Site, range: Range) -> list[Row]:
    """Why hits were not counted; ``pageviews`` has how many, at least."""
    return top([site], range, Kind.LEFT_OUT, limit=None)


def _rows(sites: Sites, range: Range, kind: Kind) -> QuerySet[Any]:
    if sites is None and range.is_whole_days and kind in OverallDay.KINDS:
        return OverallDay.objects.filter(kind=kind, day__range=(range.first, range.last))
    rows = _of_sites(range, kind)
    return rows if sites is None else rows.filter(site__in=sites)


def _of_sites(range: Range, kind: Kind) -> QuerySet[Any]:
    """Of every site its own."""
    if not range.is_whole_days:
        return _hours(None, range, kind)
    return VisitDay.objects.filter(kind=kind, day__range=(range.first, range.last))


def _hours(sites: Sites, range: Range, kind: Kind) -> QuerySet[Any]:
    hours = VisitCount.objects.filter(kind=kind, hour__gte=range.since, hour__lt=range.until)
    return hours if sites is None else hours.filter(site__in=sites)


def _sums() -> dict[str, Sum]:
    return {name: Sum(name) for name in MEASURES}


def _ranked(groups: QuerySet[Any], measure: str) -> QuerySet[Any]:
    """Without what bots alone asked for; ``rank`` orders them, ``whole`` is the sum of it."""
    seen = groups.annotate(**_sums()).filter(pageviews__gt=0)
    ranked: QuerySet[Any] = seen.annotate(rank=F(measure), whole=Window(SumOver(F(measure))))
    return ranked


def _part(limit: int | None, offset: int) -> slice:
    return slice(offset, None if limit is None else offset + limit)


def _shared(row: dict[str, Any]) -> dict[str, Any]:
    rank, whole = row.pop("rank"), row.pop("whole")
    return {**row, "share": float(rank / whole) if whole else 0.0}


def _moment(at: date | datetime) -> datetime:
    return at if isinstance(at, datetime) else midnight(at)
