from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import IntegrityError, connection, connections
from hypothesis import given
from hypothesis import strategies as st

from sites.models import VisitCount
from sites.visits import partitions
from tests.factories import VisitCountFactory

DAYS = st.dates(date(2000, 1, 1), date(2100, 1, 1))


@given(day=DAYS)
def test_a_month_ends_where_the_next_begins(day):
    month, following = partitions.month_of(day), partitions.next_month(day)

    assert month <= day < following
    assert following.day == 1
    assert partitions.month_of(following - timedelta(days=1)) == month


def test_those_that_are_needed_are_there_after_the_migrations(db):
    today = datetime.now(UTC).date()
    wanted = {today - timedelta(days=n) for n in range(90)} | {partitions.next_month(today)}

    assert {partitions.month_of(day) for day in wanted} <= partitions.existing().keys()


def test_a_month_is_made_once_and_takes_its_rows_to_the_second(site):
    month = date(2031, 12, 1)
    partitions.ensure([date(2031, 12, 24), date(2031, 12, 25)])
    partitions.ensure([month])

    assert partitions.existing()[month] == "sites_visitcount_2031_12"
    VisitCountFactory(site=site, hour=datetime(2031, 12, 1, 0, tzinfo=UTC))
    VisitCountFactory(site=site, hour=datetime(2031, 12, 31, 23, tzinfo=UTC))
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM sites_visitcount_2031_12")
        assert cursor.fetchone() == (2,)
    assert VisitCount.objects.filter(site=site).count() == 2


def test_a_month_that_was_made_is_as_those_of_the_migration(db):
    """The same checks, keys, indexes and storage."""
    partitions.ensure([date(2031, 12, 1)])
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.relname, c.reloptions, array(SELECT pg_get_constraintdef(k.oid)"
            " FROM pg_constraint k WHERE k.conrelid = c.oid ORDER BY 1),"
            " array(SELECT indkey::text || indisunique FROM pg_index WHERE indrelid = c.oid"
            " ORDER BY 1)"
            " FROM pg_class c JOIN pg_inherits i ON i.inhrelid = c.oid"
            " WHERE i.inhparent = 'sites_visitcount'::regclass"
        )
        made, *others = sorted(cursor.fetchall(), reverse=True)
    assert made[0] == "sites_visitcount_2031_12"
    assert others
    assert all(other[1:] == made[1:] for other in others)


def test_only_months_that_are_over_are_dropped(site):
    partitions.ensure([date(2001, 1, 1), date(2001, 2, 1)])

    assert partitions.drop_before(date(2001, 2, 28)) == ["sites_visitcount_2001_01"]

    assert date(2001, 2, 1) in partitions.existing()
    assert partitions.drop_before(date(2001, 3, 1)) == ["sites_visitcount_2001_02"]


@pytest.mark.django_db(transaction=True)
def test_a_month_that_is_read_stays_and_the_others_go(monkeypatch):
    partitions.ensure([date(2001, 1, 1), date(2001, 2, 1)])
    reader = connection.copy()
    try:
        reader.set_autocommit(False)
        with reader.cursor() as cursor, monkeypatch.context() as patch:
            cursor.execute("SELECT FROM sites_visitcount_2001_01")
            patch.setattr(partitions, "LOCK_SECONDS", 0.1)
            assert partitions.drop_before(date(2001, 3, 1)) == ["sites_visitcount_2001_02"]
    finally:
        reader.close()
    assert partitions.drop_before(date(2001, 3, 1)) == ["sites_visitcount_2001_01"]


def test_a_row_without_its_month_is_refused(site):
    with pytest.raises(IntegrityError, match="no partition"):
        VisitCountFactory(site=site, hour=datetime(1999, 1, 1, tzinfo=UTC))


@pytest.mark.django_db(transaction=True)
def test_of_several_at_once_one_makes_it():
    def ensure(_: int) -> None:
        try:
            partitions.ensure([date(2032, 1, 1)])
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(ensure, range(8)))

    assert date(2032, 1, 1) in partitions.existing()
    partitions.drop_before(date(1999, 1, 1))
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE sites_visitcount_2032_01")
