"""What was read long ago goes, and nothing else."""

from __future__ import annotations

import re
import time
import uuid
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from tests.lambda_src.counter.containers import (
    COUNTER,
    NOON,
    count_hit,
)
from tests.lambda_src.counter.exports import export, pages


def prune(counter, page, days_ago=90, **asked):
    """What goes of the hours that a reader has, who keeps the page's position."""
    asked = {
        "epoch": page["epoch"],
        "position": page["position"],
        "before": (NOON - timedelta(days=days_ago)).isoformat(),
        "limit": 1000,
        **asked,
    }
    return counter.handler({"action": "prune", **asked}, None)["pruned"]


def settled(counter, connection):
    """A page, when nobody writes on this server whose transaction it would have to wait for."""
    number = connection.execute("SELECT pg_current_xact_id()::text::bigint").fetchone()[0]
    while True:
        [page] = pages(counter, None)
        if page["position"] > number:
            return page
        time.sleep(0.05)


@pytest.fixture
def aged(fresh):
    """The hits of three sites, 100, 91, 89 and 0 days before NOON, in slots; the last has bots."""
    sites = [uuid.uuid4() for _ in range(3)]
    for days in (100, 91, 89, 0):
        for n in range(12):
            count_hit(
                fresh,
                sites[n % 3],
                client=bytes([n]),
                slots=4,
                is_bot=n % 3 == 2,
                now=NOON - timedelta(days=days),
            )
    fresh.execute("UPDATE counter.count SET slot = 9 WHERE kind = 3")
    fresh.execute("TRUNCATE counter.salt, counter.visitor, counter.hit")
    return sites


def hours(connection) -> set[int]:
    rows = connection.execute("SELECT DISTINCT hour FROM counter.count")
    return {(NOON - hour).days for (hour,) in rows.fetchall()}


def test_hours_that_were_read_go_and_totals_stay(counter, fresh, aged):
    page = settled(counter, fresh)
    kept = [row for row in page["rows"] if row[1] >= (NOON - timedelta(days=90)).isoformat()]
    shown = [count_hit(fresh, site, client=None).pageviews for site in aged]

    assert prune(counter, page) == len(page["rows"]) - len(kept)
    assert prune(counter, page) == 0

    assert hours(fresh) == {89, 0}
    [after] = pages(counter, None)
    assert after["rows"] == kept
    assert [count_hit(fresh, site, client=None).pageviews for site in aged] == shown == [16, 16, 0]


def test_of_what_changed_since_it_was_read_the_whole_day_stays(counter, fresh, aged):
    page = settled(counter, fresh)
    old = NOON - timedelta(days=100)
    fresh.execute(
        "UPDATE counter.count SET pageviews = 99, changed = pg_current_xact_id()"
        " WHERE (site, hour, kind) = (%s, %s, 7)"
        " AND slot = (SELECT min(slot) FROM counter.count WHERE (site, hour, kind) = (%s, %s, 7))",
        [aged[0], old, aged[0], old],
    )
    whole = {tuple(row[:4]): row for row in pages(counter, None)[0]["rows"]}

    prune(counter, page)

    left = {tuple(row[:4]): row for row in pages(counter, None)[0]["rows"]}
    late = [key for key in whole if key[:2] == (str(aged[0]), old.isoformat())]
    assert [key for key in left if key[1] == old.isoformat()] == late
    assert all(row == whole[key] for key, row in left.items())
    assert prune(counter, settled(counter, fresh)) == len(late)


@pytest.mark.parametrize(
    "other", [{"epoch": str(uuid.uuid4())}, {"position": 2**60}, {"position": 0}]
)
def test_nothing_goes_by_a_position_that_means_nothing_here(counter, fresh, aged, other):
    assert prune(counter, settled(counter, fresh), **other) == 0
    assert hours(fresh) == {100, 91, 89, 0}


def test_one_kind_goes_of_a_span(counter, fresh, aged):
    page = settled(counter, fresh)
    since = (NOON - timedelta(days=95)).isoformat()

    assert prune(counter, page, days_ago=1, kind=6, since=since) == 3 * 2

    kinds = fresh.execute("SELECT count(*) FROM counter.count WHERE kind = 6").fetchone()
    assert kinds > (0,)
    assert hours(fresh) == {100, 91, 89, 0}


@pytest.mark.parametrize("limit", [1, 7])
def test_in_small_steps_every_key_goes_whole(counter, fresh, aged, limit):
    page = settled(counter, fresh)
    known = {tuple(row) for row in map(str, page["rows"])}
    while prune(counter, page, limit=limit) == limit:
        assert {tuple(row) for row in map(str, pages(counter, None)[0]["rows"])} <= known

    assert hours(fresh) == {89, 0}


def test_pruning_keeps_no_hit_waiting(counter, fresh, aged, empty_database):
    page = settled(counter, fresh)
    with psycopg.connect(empty_database) as pruner:
        sql = re.sub("-- .*", "", (COUNTER / "prune.sql").read_text())
        pruner.execute(
            sql,
            {
                **{name: page[name] for name in ("epoch", "position")},
                **{"kind": None, "since": None, "before": NOON, "limit": None},
            },
        )
        fresh.execute("SET statement_timeout = 20000")
        assert count_hit(fresh, aged[0], client=b"new", now=NOON).counted
        assert export(counter, limit=None)["rows"]


@pytest.mark.parametrize("limit", [2, None])
def test_what_was_known_of_visitors_goes_where_nobody_comes(counter, fresh, limit):
    """By the clock's day, whatever the reader has; the ids of yesterday are known still."""
    now = datetime.now(UTC)
    for days in (3, 2, 1, 0):
        for n in range(3):
            count_hit(fresh, uuid.uuid4(), client=bytes([n]), now=now - timedelta(days=days))
        if days == 3:
            salt = fresh.execute("SELECT * FROM counter.salt").fetchone()
    fresh.execute("INSERT INTO counter.salt VALUES (%s, %s)", salt)
    nothing = {"epoch": str(uuid.uuid4()), "position": 0}

    while pruned := prune(counter, nothing, limit=limit):
        assert limit is None or pruned <= limit

    today = now.date()
    for table, days in {"salt": 1, "visitor": 1, "hit": 2}.items():
        kept = fresh.execute(f"SELECT DISTINCT day FROM counter.{table} ORDER BY day DESC")
        assert kept.fetchall() == [(today - timedelta(days=n),) for n in range(days)], table
