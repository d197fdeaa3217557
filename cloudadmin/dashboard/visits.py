"""Visits of all sites that a person sees, as bars of days."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any, NamedTuple

from sites.visits import query
from sites.visits.query import Point
from sites.visits.ranges import Range, Step
from sites.visits.report import Change

WEEK = 7
# The picture: bars of one unit with a gap, on a field so high.
HEIGHT, GAP = 60.0, 0.22


class Bar(NamedTuple):
    """Where it stands in the picture, as SVG has it; ``is_begun`` when the day is not over."""

    day: date
    visits: int
    x: str
    y: str
    width: str
    height: str
    is_begun: bool

    @property
    def title(self) -> str:
        return f"{self.day.day} {self.day:%B}: {self.visits:,}"


class Visits(NamedTuple):
    bars: list[Bar]
    most: int
    total: int
    week: int
    change: Change

    @property
    def box(self) -> str:
        return f"0 0 {len(self.bars)} {HEIGHT:g}"


def visits(sites: Any) -> Visits:
    """Of the last 30 days, today last; ``sites`` of None are all. The week is one of whole days."""
    points = query.series(sites, Range.parse("30d"), Step.DAY)
    over = points[:-1]
    now, before = _sum(over[-WEEK:]), _sum(over[-2 * WEEK : -WEEK])
    most = max((point.visits for point in points), default=0)
    bars = [_bar(place, point, most, len(points)) for place, point in enumerate(points)]
    return Visits(bars, most, _sum(points), now, Change(now, before))


def _sum(points: Sequence[Point]) -> int:
    return sum(point.visits for point in points)


def _bar(place: int, point: Point, most: int, count: int) -> Bar:
    # A day with a visit is never without a bar.
    height = max(1.5, HEIGHT * point.visits / most) if point.visits else 0.4
    return Bar(
        day=point.at.date(),
        visits=point.visits,
        x=f"{place + GAP / 2:.2f}",
        y=f"{HEIGHT - height:.2f}",
        width=f"{1 - GAP:.2f}",
        height=f"{height:.2f}",
        is_begun=place == count - 1,
    )
