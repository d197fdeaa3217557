"""The time that a question about visits is about. All of it is UTC, as the counter counts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum

# What a person picks from; "all" begins with the first day that was counted.
NAMES = {
    "24h": "24 hours",
    "7d": "7 days",
    "30d": "30 days",
    "90d": "90 days",
    "12m": "12 months",
    "all": "All time",
}
DAYS = {"7d": 7, "30d": 30, "90d": 90, "12m": 365}
DEFAULT = "30d"
EARLIEST = date(2000, 1, 1)
# A line of more points than this shows months.
MOST_DAYS_DRAWN = 400
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


class Step(StrEnum):
    """What one point of a line is."""

    HOUR = "hour"
    DAY = "day"
    MONTH = "month"


@dataclass(frozen=True)
class Range:
    """From the beginning of ``first`` to the end of ``last``.

    With an ``hour`` before 24 it ends at that hour of ``last`` and begins at that hour of
    ``first``, as the last 24 hours do. ValueError for a range that ends before it begins.
    """

    first: date
    last: date
    hour: int = 24

    def __post_init__(self) -> None:
        if not 0 < self.hour <= 24 or self.since >= self.until:
            raise ValueError(f"{self.last} is before {self.first}; swap the two days.")

    @property
    def since(self) -> datetime:
        return midnight(self.first) + self.hour % 24 * HOUR

    @property
    def until(self) -> datetime:
        """The first moment that is not in it any more."""
        return midnight(self.last) + self.hour * HOUR

    @property
    def days(self) -> int:
        return (self.until - self.since).days

    @property
    def previous(self) -> Range:
        """As long, and over when this one begins."""
        return replace(self, first=self.first - self.days * DAY, last=self.last - self.days * DAY)

    @property
    def is_whole_days(self) -> bool:
        return self.hour == 24

    @property
    def is_short(self) -> bool:
        """Whether its hours are worth showing."""
        return self.days <= 2

    @property
    def step(self) -> Step:
        if self.is_short:
            return Step.HOUR
        return Step.DAY if self.days <= MOST_DAYS_DRAWN else Step.MONTH

    def moments(self, step: Step) -> Iterator[datetime]:
        """When each hour, day or month of it begins; a month that began before it counts too."""
        at = midnight(self.first.replace(day=1)) if step is Step.MONTH else self.since
        while at < self.until:
            yield at
            match step:
                case Step.HOUR:
                    at += HOUR
                case Step.DAY:
                    at += DAY
                case Step.MONTH:
                    at = (at + 31 * DAY).replace(day=1)

    def __str__(self) -> str:
        """An interval as ISO 8601 writes it, which ``parse`` reads."""
        return f"{self.first}/{self.last}"

    @classmethod
    def parse(
        cls, words: str, *, first_day: date | None = None, now: datetime | None = None
    ) -> Range:
        """One of NAMES, or two days as in “2026-01-01/2026-01-31”.

        ``first_day`` is where “all” begins. Days to come are left out. ValueError, in words.
        """
        now = now or datetime.now(UTC)
        today = now.date()
        if words == "24h":
            return cls(today - DAY, today, now.hour + 1) if now.hour < 23 else cls(today, today)
        if words == "all":
            return cls(min(first_day or today, today), today)
        if words in DAYS:
            return cls(today - (DAYS[words] - 1) * DAY, today)
        first, last = _two_days(words)
        if not EARLIEST <= first <= today:
            raise ValueError(f"{first} is not between {EARLIEST} and today; choose another day.")
        return cls(first, min(last, today))


def _two_days(words: str) -> tuple[date, date]:
    first, _, last = words.partition("/")
    try:
        return date.fromisoformat(first), date.fromisoformat(last)
    except ValueError as error:
        raise ValueError(
            f"“{words[:60]}” is no range: take one of {', '.join(NAMES)}, or two days as in "
            "“2026-01-01/2026-01-31”."
        ) from error


def midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
