"""Counter databases that follow each other, and one that is restored."""

from __future__ import annotations

from datetime import timedelta

import psycopg
from botocore.exceptions import EndpointConnectionError

from sites.models import Kind, VisitCursor
from sites.visits.pull import pull
from tests.lambda_src.counter.containers import migrated_database
from tests.sites.visits.conftest import (
    NOON,
    Functions,
    days,
    direct,
    hit,
    hours_by_day,
    invoked,
    source,
    total,
)


def test_a_new_database_adds_to_the_former_one(account, site, connection, reader):
    hit(connection, site)
    pull(account, [reader])
    VisitCursor.objects.update(position=1)  # a position that the other database also has
    with migrated_database() as url, psycopg.connect(url, autocommit=True) as new:
        hit(new, site)
        new.execute("UPDATE counter.count SET changed = '0'")
        assert pull(account, [direct(url)]).rows == 7
        assert total(site) == 2
        assert days(site) == hours_by_day(site)

        # And back to the former, whose hits are known.
        hit(connection, site)
        pull(account, [reader])
        assert total(site) == 3
        pull(account, [direct(url)])
        assert total(site) == 3
    assert days(site) == hours_by_day(site)


def test_a_database_in_which_sites_still_count_is_read_on(
    account, site, connection, counter_url, reader
):
    hit(connection, site)
    pull(account, [reader])
    cursor = VisitCursor.objects.get()
    position = cursor.position
    cursor.change_over("old", "new")
    cursor.save()
    with migrated_database() as url, psycopg.connect(url, autocommit=True) as new:
        hit(new, site)
        hit(connection, site)  # by a function that was not provisioned anew
        functions = Functions(url=counter_url)
        assert pull(account, [direct(url)], {"old": [invoked(functions)]}).error == ""
        assert total(site) == 3
        assert functions.asked[0]["position"] == position

        away = invoked(Functions(error=EndpointConnectionError(endpoint_url="x")))
        hit(new, site)
        assert (
            "not provisioned anew: The fun" in pull(account, [direct(url)], {"old": [away]}).error
        )
        assert total(site) == 4

        cursor.refresh_from_db()
        assert [*cursor.former] == ["old"]
        cursor.change_over("new", "old")
        cursor.save()
        hit(new, site)
        assert pull(account, [reader], {"new": [direct(url)]}).error == ""
        assert total(site) == 5
        pull(account, [reader])
    assert days(site) == hours_by_day(site)
    cursor.refresh_from_db()
    assert cursor.former == {}


def set_back(connection, site) -> None:
    """As when a snapshot is restored that was made before the last of two hits."""
    connection.execute("UPDATE counter.count SET pageviews = 1 WHERE site = %s", [site.uid])
    connection.execute("DELETE FROM counter.count WHERE site = %s AND value = '/later'", [site.uid])
    VisitCursor.objects.update(position=2**40)


def test_what_a_restored_database_forgot_stays_counted(account, site, connection, reader):
    hit(connection, site)
    hit(connection, site, path="/later")
    pull(account, [reader])
    before = days(site)
    set_back(connection, site)

    pull(account, [reader])

    assert days(site) == before == hours_by_day(site)
    hit(connection, site, path="/later")
    pull(account, [reader])
    assert days(site)[site.uid, NOON.date(), Kind.PATH, "/later"] == (2, 2, 2, 0)
    assert total(site) == 3
    assert days(site) == hours_by_day(site)


def test_what_came_after_a_restore_is_read_though_its_transactions_are_old(
    account, site, connection, reader
):
    """So many came after it that the position is passed again before anybody looks."""
    hit(connection, site)
    pull(account, [reader])
    hit(connection, site)
    connection.execute("UPDATE counter.count SET changed = '3' WHERE site = %s", [site.uid])
    [(started,)] = connection.execute("SELECT pg_postmaster_start_time()").fetchall()

    VisitCursor.objects.update(pulled_at=started + timedelta(hours=1))
    pull(account, [reader])
    assert total(site) == 1

    VisitCursor.objects.update(pulled_at=NOON)
    pull(account, [reader])
    assert total(site) == 2
    assert days(site) == source(connection, site) == hours_by_day(site)
