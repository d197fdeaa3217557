"""The statistics as pages show them: sums with their change, a line, rows with their names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import zip_longest
from typing import NamedTuple

from sites.models import Kind
from sites.visits import query
from sites.visits.breakdowns import BREAKDOWNS, Breakdown
from sites.visits.marks import Release, releases
from sites.visits.query import Point, Row, SiteRow, Sites, Sums
from sites.visits.ranges import DEFAULT, NAMES, Range, Step

PANEL_ROWS = 10
TITLES = {"visits": "Visits", "visitors": "Visitors", "pageviews": "Pageviews"}
FORMATS = {Step.HOUR: "%-d %b, %H:00", Step.DAY: "%a %-d %B %Y", Step.MONTH: "%B %Y"}


@dataclass(frozen=True)
class Asked:
    """``words`` lead to the same range again; ``problem`` says why it is not what was asked for."""

    range: Range
    words: str
    problem: str = ""

    @property
    def title(self) -> str:
        if self.words in NAMES:
            return "All time" if self.words == "all" else f"Last {NAMES[self.words]}"
        first, last = self.range.first, self.range.last
        return day(first) if first == last else f"{day(first)} to {day(last)}"

    @property
    def is_compared(self) -> bool:
        """Before all of it there was nothing."""
        return self.words != "all"


def asked(parameters: Mapping[str, str], first_day: date | None) -> Asked:
    """From ``range``, or from ``first`` and ``last``, of an address. Never raises."""
    words = parameters.get("range", DEFAULT)
    if "first" in parameters or "last" in parameters:
        words = f"{parameters.get('first', '')}/{parameters.get('last', '')}"
    try:
        found = Range.parse(words, first_day=first_day)
    except ValueError as error:
        return Asked(Range.parse(DEFAULT), DEFAULT, str(error))
    return Asked(found, words if words in NAMES else str(found))


class Change(NamedTuple):
    """Against the period before, of which ``before`` counts what was over by then too."""

    now: int
    before: int

    @property
    def percent(self) -> int | None:
        """None where there was nothing before."""
        return round(100 * (self.now - self.before) / self.before) if self.before else None

    @property
    def direction(self) -> str:
        return "up" if self.now > self.before else "down" if self.now < self.before else "same"

    @property
    def arrow(self) -> str:
        return {"up": "↑", "down": "↓", "same": "→" if self.now else ""}[self.direction]

    @property
    def text(self) -> str:
        if self.percent is None:
            return "new" if self.now else "–"
        return f"{abs(self.percent):,} %"

    @property
    def words(self) -> str:
        if self.direction == "same":
            return "as in the period before" if self.now else "none in the period before either"
        if self.percent is None:
            return "none in the period before"
        more = "more" if self.direction == "up" else "fewer"
        return f"{abs(self.percent):,} % {more} than in the period before"


class Tile(NamedTuple):
    name: str
    title: str
    value: int
    change: Change | None


class Column(NamedTuple):
    """``is_before`` when it is of the period before."""

    name: str
    title: str
    is_before: bool


class Line(NamedTuple):
    """One row of the table behind the line; ``cells`` are those of its columns."""

    at: datetime
    title: str
    cells: list[str]

    @property
    def iso(self) -> str:
        return self.at.isoformat()


@dataclass(frozen=True)
class Report:
    """``points`` and ``before`` are of one step; without ``before`` nothing is compared."""

    range: Range
    step: Step
    sums: Sums
    points: Sequence[Point]
    before: Sequence[Point] = ()

    @property
    def tiles(self) -> list[Tile]:
        return [
            Tile(name, title, getattr(self.sums, name), self._change(name))
            for name, title in TITLES.items()
        ]

    @property
    def columns(self) -> list[Column]:
        shown = (False, True) if self.before else (False,)
        return [
            Column(name, title, is_before) for name, title in TITLES.items() for is_before in shown
        ]

    @property
    def lines(self) -> Iterator[Line]:
        """The oldest first."""
        for now, before in zip_longest(self.points, self.before[: len(self.points)]):
            of = {False: now, True: before}
            cells = [
                f"{getattr(point, name):,}" if (point := of[is_before]) else ""
                for name, _, is_before in self.columns
            ]
            yield Line(now.at, f"{now.at:{FORMATS[self.step]}}", cells)

    @property
    def is_going_on(self) -> bool:
        """Whether its last point may still grow."""
        return bool(self.points) and self.range.until > datetime.now(UTC)

    def _change(self, name: str) -> Change | None:
        """Of what is over: in the morning, a day that has begun would look like a fall."""
        over = len(self.points) - self.is_going_on
        if not self.before or not over:
            return None
        now, before = (
            sum(getattr(point, name) for point in points[:over])
            for points in (self.points, self.before)
        )
        return Change(now, before)


def report(sites: Sites, range: Range, *, is_compared: bool = True) -> Report:
    """Two queries: one for the range and one for the period before. Of hours, one more."""
    step = query.step_of(range)
    points = query.series(sites, range, step)
    before = query.series(sites, range.previous, step) if is_compared else []
    # What was imported has days alone.
    sums = query.sums(sites, range) if step is Step.HOUR else sum_of(points)
    return Report(range, step, sums, points, before)


def sum_of(points: Iterable[Point]) -> Sums:
    return Sums(*(map(sum, zip(*(point[1:] for point in points), strict=True))))


class Shown(NamedTuple):
    """A row with its name for people, and the page that tells of it, if there is one."""

    name: str
    url: str
    row: Row | SiteRow

    @property
    def percent(self) -> str:
        share = self.row.share
        return "under 1 %" if 0 < share < 0.01 else f"{share:.0%}".replace("%", " %")


class Panel(NamedTuple):
    """``is_cut`` when there are more rows than these."""

    breakdown: Breakdown
    rows: list[Shown]
    is_cut: bool


def panels(sites: Sites, range: Range, shown: Iterable[Breakdown] = BREAKDOWNS) -> list[Panel]:
    """The first rows of each breakdown, one query each."""
    return [panel(sites, range, breakdown) for breakdown in shown]


def panel(
    sites: Sites,
    range: Range,
    breakdown: Breakdown,
    limit: int = PANEL_ROWS,
    page: int = 1,
) -> Panel:
    """One page of ``limit`` rows, the first being 1."""
    rows = query.top(sites, range, breakdown.kind, limit + 1, offset=limit * (page - 1))
    known: dict[str, Release] = {}
    if breakdown.kind == Kind.DEPLOYMENT and sites and len(sites) == 1:
        known = releases(sites[0], [row.value for row in rows[:limit]])
    shown = [
        Shown(*known.get(row.value, (breakdown.name(row.value), "")), row) for row in rows[:limit]
    ]
    return Panel(breakdown, shown, len(rows) > limit)


def day(of: date) -> str:
    return f"{of:%-d %B %Y}"
