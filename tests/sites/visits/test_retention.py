from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

import pytest
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st

from sites.models import Kind, VisitCount, VisitDay
from sites.visits import partitions, retention
from tests.factories import VisitCountFactory, VisitDayFactory

TODAY = datetime.now(UTC).date()


def add(site, kind, days_ago):
    day = TODAY - timedelta(days=days_ago)
    partitions.ensure([day])
    row = VisitCountFactory(site=site, kind=kind, hour=datetime.combine(day, time(23), UTC))
    connection.check_constraints()  # or it would only at the end of the transaction
    return row


@given(day=st.dates(date(2000, 1, 1), date(2100, 1, 1)), kind=st.sampled_from(Kind))
def test_every_kind_is_kept_as_long_as_told(day, kind):
    since = retention.kept_since(kind, day)

    told = retention.KEPT_DAYS.get(kind, retention.KEPT_DAYS[Kind.ALL])
    assert told <= (day - since).days <= told + 30
    assert retention.kept_since(kind, day + timedelta(days=1)) >= since


@pytest.mark.parametrize(
    ("kind", "kept", "gone"),
    [(Kind.MINUTE, 3, 4), (Kind.LEFT_OUT, 31, 32), (Kind.ALL, 90, 130), (Kind.PATH, 90, 130)],
)
def test_old_hours_go_and_days_stay(site, kind, kept, gone):
    VisitDayFactory(site=site, kind=kind, day=TODAY - timedelta(days=gone))
    add(site, kind, gone)
    stays = add(site, kind, kept)

    assert retention.tidy() >= 1

    assert [row.hour for row in VisitCount.objects.filter(site=site)] == [stays.hour]
    assert VisitDay.objects.filter(site=site).exists()
    assert retention.tidy() == 0


def test_the_next_month_is_made_before_it_begins(db):
    retention.tidy(date(2030, 1, 31))

    assert {date(2030, 1, 1), date(2030, 2, 1)} <= partitions.existing().keys()
