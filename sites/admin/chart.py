"""Visits per day as bars: the geometry of an SVG that the server draws."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

WIDTH, HEIGHT, GAP = 720.0, 120.0, 0.25


@dataclass(frozen=True)
class Bar:
    """One day. ``visits`` is never above ``pageviews``, so its bar is drawn inside the other."""

    date: date
    pageviews: int
    visits: int
    x: float
    width: float
    height: float
    visits_height: float

    @property
    def y(self) -> float:
        return HEIGHT - self.height

    @property
    def visits_y(self) -> float:
        return HEIGHT - self.visits_height


@dataclass(frozen=True)
class Chart:
    bars: tuple[Bar, ...]

    width = WIDTH
    height = HEIGHT

    @property
    def pageviews(self) -> int:
        return sum(bar.pageviews for bar in self.bars)

    @property
    def visits(self) -> int:
        return sum(bar.visits for bar in self.bars)

    @property
    def highest(self) -> int:
        return max((bar.pageviews for bar in self.bars), default=0)


def chart(days: Sequence[tuple[date, int, int]]) -> Chart:
    """``days`` are (date, pageviews, visits), oldest first; the highest day fills the height."""
    highest = max((max(day[1:]) for day in days), default=0) or 1
    slot = WIDTH / max(1, len(days))
    return Chart(
        tuple(
            Bar(
                date=day,
                pageviews=pageviews,
                visits=visits,
                x=round(number * slot + slot * GAP / 2, 2),
                width=round(slot * (1 - GAP), 2),
                height=round(HEIGHT * pageviews / highest, 2),
                visits_height=round(HEIGHT * visits / highest, 2),
            )
            for number, (day, pageviews, visits) in enumerate(days)
        )
    )
