from __future__ import annotations

import dataclasses
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from urllib.parse import urlsplit

import psycopg
import pytest
from django.db import connections, transaction

from sites.models import Account, Site, VisitCount, VisitCursor
from sites.visits import query
from sites.visits.pull import pull
from tests.lambda_src.counter.containers import migrated_database
from tests.localcloud.conftest import eventually
from tests.sites.visits.conftest import counter_database

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def hit(connection, site, *, path="/", client=None, is_bot=False, now=NOON):
    connection.execute(
        "SELECT counter.count_hit(%s, %s, %s, %s, %s, %s)",
        [site.uid, path, client or uuid.uuid4().bytes, uuid.uuid4(), is_bot, now],
    )


def counts(site) -> dict[tuple[date, str], tuple[int, int, int]]:
    rows = VisitCount.objects.filter(site=site)
    return {(r.date, r.path): (r.pageviews, r.visits, r.bots) for r in rows}


def test_every_count_arrives(account, site, connection, database):
    for client in (b"alice", b"alice", b"bob"):
        hit(connection, site, client=client)
    hit(connection, site, path="/about", client=b"alice")
    hit(connection, site, path="/about", is_bot=True)
    hit(connection, site, now=NOON + timedelta(days=1))

    pulled = pull(account, database)

    assert pulled.error == ""
    assert counts(site) == {
        (date(2026, 3, 1), "/"): (3, 2, 0),
        (date(2026, 3, 1), "/about"): (1, 0, 1),
        (date(2026, 3, 2), "/"): (1, 1, 0),
    }
    assert query.total(site) == 5


def test_a_second_pull_changes_nothing(account, site, connection, database):
    hit(connection, site)
    pull(account, database)
    before = counts(site)

    pull(account, database)

    assert counts(site) == before


@pytest.mark.django_db(transaction=True)
def test_what_did_not_change_is_not_read_again(account, site, connection, database):
    hit(connection, site)
    hit(connection, site, path="/about")
    assert pull(account, database).rows >= 2
    # Whoever else writes to the server holds the watermark back for as long as they do.
    eventually(lambda: pull(account, database).rows == 0)
    hit(connection, site)

    assert pull(account, database).rows == 1
    assert query.total(site) == 3


def test_a_pull_takes_absolute_values(account, site, connection, database):
    hit(connection, site)
    pull(account, database)
    VisitCount.objects.filter(site=site).update(pageviews=999)
    hit(connection, site)
    pull(account, database)

    assert query.total(site) == 2


def test_commits_out_of_order_are_not_missed(account, site, connection, counter_url, database):
    """A transaction that began earlier and commits after the pull is found by the next one."""
    other = Site(uid=uuid.uuid4())  # the total of one site is locked by its slow transaction
    hit(connection, other)  # the salt of the day is there
    with psycopg.connect(counter_url) as slow:
        hit(slow, site, path="/slow")
        hit(connection, other, path="/fast")
        pull(account, database)
        assert counts(site) == {}
        slow.commit()

    pull(account, database)

    assert counts(site) == {(date(2026, 3, 1), "/slow"): (1, 1, 0)}


def test_unknown_sites_are_passed_over(account, site, connection, database):
    elsewhere = Account.objects.create(name="other", aws_account_id="210987654321")
    foreign = Site.objects.create(name="foreign", account=elsewhere)
    hit(connection, Site(uid=uuid.uuid4()))
    hit(connection, foreign)
    hit(connection, site)

    assert pull(account, database).error == ""

    assert query.totals([site, foreign]) == {site.pk: 1, foreign.pk: 0}


def test_a_new_database_is_read_from_its_start(account, site, connection, database):
    hit(connection, site)
    pull(account, database)
    VisitCursor.objects.update(position=1)  # a position that the other database also has
    with migrated_database() as url, psycopg.connect(url, autocommit=True) as new:
        hit(new, site, now=NOON + timedelta(days=1))
        new.execute("UPDATE counter.page SET changed = '0'")

        assert pull(account, counter_database(url)).rows == 1

    assert query.total(site) == 2


def test_a_database_that_was_set_back_is_read_from_its_start(account, site, connection, database):
    pull(account, database)
    VisitCursor.objects.update(position=2**40)
    hit(connection, site)

    pull(account, database)

    assert query.total(site) == 1


@pytest.mark.django_db(transaction=True)
def test_pulls_at_once_while_hits_arrive(account, site, connection, counter_url, database):
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
                assert pull(account, database).error == ""
                seen.append(query.total(site))
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
    pull(account, database)

    assert query.total(site) == 200


@pytest.mark.django_db(transaction=True)
def test_rows_and_cursor_move_together(account, site, connection, database):
    hit(connection, site)

    with transaction.atomic():
        pull(account, database)
        transaction.set_rollback(True)  # as when the process is killed

    assert counts(site) == {}
    pull(account, database)
    assert query.total(site) == 1


def test_an_unreachable_database_is_explained(account, database):
    nowhere = dataclasses.replace(database, host="127.0.0.1", port=1)

    pulled = pull(account, nowhere)

    assert pulled.rows == 0
    assert "127.0.0.1:1 could not be read" in pulled.error
    assert "the next pull tries again" in pulled.error
    assert VisitCursor.objects.get(account=account).error_message == pulled.error


def test_a_database_without_the_schema_is_explained(account, database, counter_url):
    server = urlsplit(counter_url)._replace(path="/postgres").geturl()

    assert "has no counter tables yet" in pull(account, counter_database(server)).error


def test_success_clears_the_error(account, database):
    pull(account, dataclasses.replace(database, port=1))
    pull(account, database)

    cursor = VisitCursor.objects.get(account=account)
    assert cursor.error_message == ""
    assert cursor.pulled_at is not None
