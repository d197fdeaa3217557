from __future__ import annotations

import dataclasses
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from urllib.parse import urlsplit

import psycopg
import pytest
from django.db import connection as own
from django.db import connections, transaction

from sites.models import Account, Kind, Site, VisitCount, VisitCursor
from sites.visits.pull import pull
from tests.lambda_src.counter.containers import migrated_database
from tests.localcloud.conftest import eventually
from tests.sites.visits.conftest import NOON, days, direct, hit, hours_by_day, source, total


def test_every_count_arrives_in_every_kind(account, site, connection, reader):
    for client in (b"alice", b"alice", b"bob"):
        hit(connection, site, client=client)
    hit(connection, site, path="/about", client=b"alice", device="mobile")
    hit(connection, site, path="/about", is_bot=True)
    hit(connection, site, now=NOON + timedelta(hours=13))

    assert pull(account, [reader]).error == ""

    day, next_day = NOON.date(), (NOON + timedelta(hours=13)).date()
    assert days(site) == {
        (site.uid, day, Kind.PATH, "/"): (3, 2, 2, 0),
        (site.uid, day, Kind.PATH, "/about"): (1, 0, 0, 1),
        (site.uid, day, Kind.REFERRER, ""): (4, 2, 2, 0),
        (site.uid, day, Kind.COUNTRY, "DE"): (4, 2, 2, 0),
        (site.uid, day, Kind.DEVICE, "desktop"): (3, 2, 2, 0),
        (site.uid, day, Kind.DEVICE, "mobile"): (1, 0, 0, 0),
        (site.uid, day, Kind.DEPLOYMENT, "7"): (4, 2, 2, 0),
        (site.uid, day, Kind.ALL, ""): (4, 2, 2, 1),
    } | {
        (site.uid, next_day, kind, value): (1, 1, 1, 0)
        for kind, value in [
            (Kind.PATH, "/"),
            (Kind.REFERRER, ""),
            (Kind.COUNTRY, "DE"),
            (Kind.DEVICE, "desktop"),
            (Kind.DEPLOYMENT, "7"),
            (Kind.ALL, ""),
        ]
    }
    assert days(site) == source(connection, site) == hours_by_day(site)
    minutes = VisitCount.objects.filter(site=site, kind=Kind.MINUTE).values_list("value", flat=True)
    assert list(minutes) == ["00", "00"]


def test_a_second_pull_changes_nothing(account, site, connection, reader):
    hit(connection, site)
    pull(account, [reader])
    before = days(site)

    pull(account, [reader])

    assert days(site) == before == hours_by_day(site)


@pytest.mark.django_db(transaction=True)
def test_what_did_not_change_is_not_read_again(account, site):
    """In a database of its own: of other tests' hits, those of this hour are always read again."""
    with migrated_database() as url, psycopg.connect(url, autocommit=True) as connection:
        reader = direct(url)
        hit(connection, site)
        hit(connection, site, path="/about")
        assert pull(account, [reader]).rows >= 2
        # Whoever else writes to the server holds the watermark back for as long as they do.
        eventually(lambda: pull(account, [reader]).rows == 0)
        hit(connection, site)

        assert pull(account, [reader]).rows == 7
        assert total(site) == 3


def test_slots_are_summed(account, site, connection, reader):
    hit(connection, site)
    connection.execute(
        """
        INSERT INTO counter.count (site, hour, kind, value, slot, pageviews)
        SELECT site, hour, kind, value, slot + 1, 4 FROM counter.count WHERE site = %s
        """,
        [site.uid],
    )
    pull(account, [reader])

    assert days(site) == source(connection, site)
    assert total(site) == 5


def test_commits_out_of_order_are_not_missed(account, site, connection, counter_url, reader):
    """A transaction that began earlier and commits after the pull is found by the next one."""
    other = Site(uid=uuid.uuid4())  # the rows of one site are locked by its slow transaction
    hit(connection, other)  # the salt of the day is there
    with psycopg.connect(counter_url) as slow:
        hit(slow, site, path="/slow")
        hit(connection, other, path="/fast")
        pull(account, [reader])
        assert days(site) == {}
        slow.commit()

    pull(account, [reader])

    assert days(site) == source(connection, site)
    assert total(site) == 1


def test_unknown_sites_are_passed_over(account, site, connection, reader):
    elsewhere = Account.objects.create(name="other", aws_account_id="210987654321")
    foreign = Site.objects.create(name="foreign", account=elsewhere)
    hit(connection, Site(uid=uuid.uuid4()))
    hit(connection, foreign)
    hit(connection, site)

    assert pull(account, [reader]).error == ""

    assert (total(site), total(foreign)) == (1, 0)


def test_a_site_that_was_forgotten_stays_counted(account, site, connection, reader):
    """Destroyed and provisioned again within the hour."""
    for _ in range(3):
        hit(connection, site)
    pull(account, [reader])
    connection.execute("DELETE FROM counter.count WHERE site = %s", [site.uid])
    hit(connection, site)

    pull(account, [reader])
    assert total(site) == 3
    hit(connection, site)
    pull(account, [reader])
    assert total(site) == 4
    assert days(site) == hours_by_day(site)


@pytest.mark.django_db(transaction=True)
def test_pulls_at_once_while_hits_arrive(account, site, connection, counter_url, reader):
    """Six pullers against four writers: whatever the interleaving, the last pull has it all."""
    done = threading.Event()

    def write(number: int) -> None:
        with psycopg.connect(counter_url, autocommit=True) as own:
            for n in range(50):
                hit(own, site, path=f"/{(number + n) % 5}")

    def pull_until_done() -> int:
        seen = []
        try:
            while not done.is_set():
                assert pull(account, [reader]).error == ""
                seen.append(total(site))
        finally:
            connections.close_all()
        assert seen == sorted(seen), "a total went back"
        return len(seen)

    with ThreadPoolExecutor(10) as pool:
        pullers = [pool.submit(pull_until_done) for _ in range(6)]
        for writer in [pool.submit(write, number) for number in range(4)]:
            writer.result()
        done.set()
        assert all(puller.result() for puller in pullers)
    pull(account, [reader])

    assert total(site) == 200
    assert days(site) == source(connection, site) == hours_by_day(site)


class Killed(BaseException):
    """As SIGKILL is: nobody catches it."""


@pytest.mark.django_db(transaction=True)
def test_a_pull_that_is_killed_at_any_statement_is_done_by_the_next(
    account, site, connection, reader
):
    for step in range(1, 100):
        hit(connection, site, path=f"/{step}")
        before = days(site)
        seen = 0

        def kill(execute, sql, params, many, context):
            nonlocal seen
            seen += 1
            if seen == step:  # noqa: B023  called before the next step
                raise Killed
            return execute(sql, params, many, context)

        try:
            with own.execute_wrapper(kill):
                pull(account, [reader])
        except Killed:
            assert days(site) == before
        else:
            break
        pull(account, [reader])
        assert days(site) == source(connection, site) == hours_by_day(site)
        VisitCursor.objects.update(epoch=None, position=0)  # the most work: all is read again
    else:
        pytest.fail("it has no end")
    assert step > 15
    assert days(site) == source(connection, site)


@pytest.mark.django_db(transaction=True)
def test_rows_and_cursor_move_together(account, site, connection, reader):
    hit(connection, site)

    with transaction.atomic():
        pull(account, [reader])
        transaction.set_rollback(True)  # as when the process is killed

    assert days(site) == {}
    pull(account, [reader])
    assert total(site) == 1


def test_hours_of_a_month_without_partition_make_one(account, site, connection, reader):
    with own.cursor() as cursor:
        cursor.execute(
            "SELECT inhrelid::regclass::text FROM pg_inherits"
            " WHERE inhparent = 'sites_visitcount'::regclass"
        )
        for (name,) in cursor.fetchall():
            cursor.execute(f"DROP TABLE {name}")
    hit(connection, site)

    assert pull(account, [reader]).error == ""

    assert days(site) == hours_by_day(site) == source(connection, site)


def test_days_whose_hours_are_gone_are_taken_whole(account, site, connection, reader):
    long_ago = NOON - timedelta(days=400)
    for hour in range(3):
        hit(connection, site, now=long_ago + timedelta(hours=hour))

    for _ in range(2):
        VisitCursor.objects.update(epoch=None, position=0)
        pull(account, [reader])
        assert days(site) == source(connection, site)
    assert not VisitCount.objects.filter(site=site).exists()


def test_an_unreachable_database_is_explained(account, reader):
    nowhere = dataclasses.replace(
        reader, database=dataclasses.replace(reader.database, host="127.0.0.1", port=1)
    )

    pulled = pull(account, [nowhere])

    assert pulled.rows == 0
    assert "127.0.0.1:1 could not be read" in pulled.error
    assert "the next pull tries again" in pulled.error
    assert VisitCursor.objects.get(account=account).error_message == pulled.error

    pull(account, [nowhere, reader])
    cursor = VisitCursor.objects.get(account=account)
    assert cursor.error_message == ""
    assert cursor.pulled_at is not None


def test_a_database_without_the_schema_is_explained(account, counter_url):
    server = urlsplit(counter_url)._replace(path="/postgres").geturl()

    assert "has no counter tables yet" in pull(account, [direct(server)]).error


def test_hours_that_no_planner_has_seen_are_found_and_updated_where_they_are(
    account, site, connection, reader
):
    """Statistics of the table are always older than the newest hour, and say that it has no rows;
    whoever believes them compares every row with every other."""
    hour = NOON.replace(hour=0)
    VisitCount.objects.bulk_create(
        VisitCount(site=site, epoch=7, hour=hour, kind=Kind.PATH, value=f"/{n}", pageviews=0)
        for n in range(5000)
    )
    with own.cursor() as cursor:
        cursor.execute("ANALYZE sites_visitcount")
    hit(connection, site)
    pull(account, [reader])
    hit(connection, site)
    plans = []

    def explain(execute, sql, params, many, context):
        if sql.lstrip().startswith(("UPDATE", "CREATE TEMPORARY TABLE fresh")):
            execute("EXPLAIN " + sql, params, many, context)
            plans.append("\n".join(line for (line,) in context["cursor"].fetchall()))
        return execute(sql, params, many, context)

    with own.execute_wrapper(explain):
        pull(account, [reader])

    found, updated = [plan for plan in plans if "sites_visitcount" in plan]
    assert "Index Scan using" in found
    assert "Seq Scan on sites_visitcount" not in found + updated
    assert "Tid Scan on sites_visitcount" in updated
    assert total(site) == 2
