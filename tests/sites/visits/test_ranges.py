"""Ranges: what is asked for in words, and the laws that every page relies on."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sites.visits.ranges import DAYS, HOUR, Range, Step, midnight

NOW = datetime(2026, 11, 21, 15, 42, 7, tzinfo=UTC)
dates = st.dates(date(2000, 1, 1), date(2035, 12, 31))
moments = st.datetimes(datetime(2001, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC))


@st.composite
def ranges(draw):
    first = draw(dates)
    days = draw(st.integers(1, 900))
    hour = draw(st.integers(1, 24))
    last = first + timedelta(days=days - (hour == 24))
    return Range(first, last, hour)


@given(ranges())
def test_the_period_before_ends_where_the_range_begins_and_is_as_long(range_):
    before = range_.previous
    assert before.until == range_.since
    assert before.days == range_.days


@given(ranges(), st.sampled_from(Step))
def test_moments_cover_the_range_once(range_, step):
    moments = list(range_.moments(step))
    assert moments == sorted(set(moments))
    assert moments[0] <= range_.since
    assert moments[-1] < range_.until
    if step is Step.HOUR:
        assert len(moments) == 24 * range_.days
    elif step is Step.DAY:
        assert len(moments) == range_.days
    else:
        assert all(moment.day == 1 for moment in moments)


@given(moments, st.sampled_from(sorted(DAYS)))
def test_named_ranges_are_as_long_as_they_say_and_end_today(now, words):
    found = Range.parse(words, now=now)
    assert (found.days, found.last, found.is_whole_days) == (DAYS[words], now.date(), True)


@given(moments)
def test_the_last_24_hours_end_with_this_one(now):
    found = Range.parse("24h", now=now)
    assert found.until - found.since == 24 * HOUR
    assert found.until - HOUR <= now < found.until
    assert found.step is Step.HOUR


@given(ranges(), moments)
def test_two_days_are_read_as_they_are_written(range_, now):
    days = Range(range_.first, range_.last)
    if days.last <= now.date():
        assert Range.parse(str(days), now=now) == days
    elif days.first <= now.date():
        assert Range.parse(str(days), now=now) == Range(days.first, now.date())
    else:
        with pytest.raises(ValueError, match="choose another day"):
            Range.parse(str(days), now=now)


@given(st.text(max_size=40))
def test_any_words_are_a_range_or_refused_in_words(words):
    with suppress(ValueError):
        found = Range.parse(words, now=NOW)
        assert found.since < found.until


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("2026-01-31/2026-01-01", "is before"),
        ("2026-01-31", "is no range"),
        ("/", "is no range"),
        ("1899-01-01/2026-01-01", "is not between"),
        ("9999-12-31/9999-12-31", "is not between"),
    ],
)
def test_what_is_wrong_is_said(words, said):
    with pytest.raises(ValueError, match=said):
        Range.parse(words, now=NOW)


def test_all_begins_with_the_first_day_and_shows_months_when_it_is_long():
    assert Range.parse("all", now=NOW) == Range(NOW.date(), NOW.date())
    found = Range.parse("all", first_day=date(2024, 5, 17), now=NOW)
    assert found == Range(date(2024, 5, 17), NOW.date())
    assert found.step is Step.MONTH
    assert next(found.moments(Step.MONTH)) == midnight(date(2024, 5, 1))
