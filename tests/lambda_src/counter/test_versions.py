"""The tables come, and come along, while hits arrive."""

from __future__ import annotations

import json
import re
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pg8000.native
import psycopg
import pytest

from tests.lambda_src.counter.containers import (
    COUNTER,
    NOON,
    container,
    hit_query,
    request,
    sums,
)

LATEST = 4


def test_migrate_is_idempotent(counter, empty_database):
    assert counter.handler({"action": "version"}, None) == {"version": 0, "latest": LATEST}
    assert counter.handler({"action": "forget"}, None) == {"deleted": 0}
    assert counter.handler({"action": "migrate"}, None) == {"version": LATEST}
    assert counter.handler({"action": "migrate"}, None) == {"version": LATEST}
    assert counter.handler({"action": "version"}, None) == {"version": LATEST, "latest": LATEST}


def test_eight_migrations_at_once_are_one(empty_database):
    containers = [container() for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        answers = pool.map(lambda module: module.handler({"action": "migrate"}, None), containers)

    assert list(answers) == [{"version": LATEST}] * 8


def test_without_the_schema_counting_is_a_503(counter, empty_database):
    assert counter.handler(request(), None)["statusCode"] == 503


COUNT_HIT_1 = "SELECT pageviews, counted FROM counter.count_hit(%s, %s, %s, %s, %s, %s)"


def test_version_1_is_brought_along(counter, empty_database):
    """Its sums, its limits; and functions that know nothing of version 2 go on to count."""
    sites = [uuid.uuid4() for _ in range(2)]
    with psycopg.connect(empty_database, autocommit=True) as old:
        old.execute(version_1())
        for n in range(60):
            at = NOON + timedelta(hours=n)
            old.execute(
                COUNT_HIT_1,
                [sites[n % 2], f"/{n % 3}", bytes([n % 5]), uuid.uuid4(), n % 7 == 0, at],
            )
        pages = old.execute(
            "SELECT site, day, path, pageviews, visits, visits, bots FROM counter.page"
        ).fetchall()
        totals = old.execute("SELECT site, pageviews FROM counter.total ORDER BY site").fetchall()
        counter.handler({"action": "migrate"}, None)

        rows = old.execute(
            """SELECT site, (hour AT TIME ZONE 'UTC')::date, value,
                pageviews, visits, visitors, bots
            FROM counter.count WHERE kind = 1 AND hour = date_trunc('day', hour, 'UTC')"""
        ).fetchall()
        assert sorted(rows) == sorted(pages)
        for site in sites:
            of_site = [page[3:] for page in pages if page[0] == site]
            assert sums(old, site)[7, ""] == [*map(sum, zip(*of_site, strict=True))]
        now = old.execute("SELECT site, pageviews FROM counter.total ORDER BY site").fetchall()
        assert now == totals

        hit, at, (site, total) = uuid.uuid4(), NOON + timedelta(days=9), totals[0]
        for _ in range(2):
            asked = [site, "/", b"alice", hit, False, at]
            assert old.execute(COUNT_HIT_1, asked).fetchone() == (total + 1, True)
        deleted = old.execute("DELETE FROM counter.page WHERE site = %s", [site])
        assert deleted.rowcount > 0
        assert sums(old, site) == {}


def version_1() -> str:
    """Its tables, as its ``migrate`` left them."""
    text = (COUNTER / "schema.sql").read_text()
    _, one, *_ = re.split(r"^-- version \d+$", text, flags=re.MULTILINE)
    return one + "INSERT INTO counter.schema_version VALUES (1);"


def test_hits_that_meet_the_migration_are_counted_or_refused(counter, empty_database):
    """Who waits within version 1 for the migration to end gets an error, and is not counted."""
    with psycopg.connect(empty_database, autocommit=True) as old:
        old.execute(version_1())

    def visit(number: int) -> int:
        refused = 0
        with psycopg.connect(empty_database, autocommit=True) as own:
            for n in range(20):
                hit = [uuid.UUID(int=1), "/", bytes([number, n]), uuid.uuid4(), False, None]
                try:
                    own.execute(COUNT_HIT_1, hit)
                except psycopg.errors.UndefinedColumn:
                    refused += 1
        assert refused <= 1
        return 20 - refused

    with ThreadPoolExecutor(9) as pool:
        visits = [pool.submit(visit, number) for number in range(8)]
        assert counter.handler({"action": "migrate"}, None) == {"version": LATEST}
        counted = sum(v.result() for v in visits)
    with psycopg.connect(empty_database, autocommit=True) as new:
        assert sums(new, uuid.UUID(int=1))[7, ""][0] == counted


@pytest.fixture
def of_version_1(empty_database):
    with psycopg.connect(empty_database, autocommit=True) as old:
        old.execute(version_1())
        yield old


def test_new_code_counts_in_old_tables(counter, of_version_1):
    """It is there before the tables are: nobody is sent away, and nothing is counted twice."""
    [query, *others] = [hit_query() for _ in range(6)]

    def visit(query: str) -> dict:
        answer: dict = json.loads(counter.handler(request(query=query), None)["body"])
        return answer

    assert visit(query) == {"visits": 1, "counted": True, "reason": ""}
    assert visit(query) == {"visits": 1, "counted": True, "reason": ""}
    assert [visit(other)["reason"] for other in others] == [*[""] * 4, "limit"]
    bot = counter.handler(request(agent="Googlebot/2.1"), None)
    assert json.loads(bot["body"]) == {"visits": 5, "counted": False, "reason": ""}
    number = counter.handler(request("/_cloudadmin/visits.json"), None)
    assert json.loads(number["body"])["visits"] == 5

    counter.handler({"action": "migrate"}, None)
    after = json.loads(counter.handler(request(agent="Mozilla/5.0 new"), None)["body"])
    assert after == {"visits": 6, "counted": True, "reason": ""}


def test_while_the_tables_move_on_every_hit_is_counted(environment, of_version_1):
    """By code that is new: no page goes without its number."""

    modules = [container() for _ in range(5)]

    def visit(number: int) -> list[int]:
        module = modules[number]
        told = []
        for n in range(15):
            answer = module.handler(
                request(query=hit_query(), address=f"198.51.{number}.{n}:443"), None
            )
            assert json.loads(answer["body"])["counted"], answer
            told.append(answer["statusCode"])
        module.counter.close()
        return told

    with ThreadPoolExecutor(5) as pool:
        visits = [pool.submit(visit, number) for number in range(4)]
        assert modules[4].handler({"action": "migrate"}, None) == {"version": LATEST}
        assert [code for each in visits for code in each.result()] == [200] * 60
    assert sums(of_version_1, environment)[7, ""][0] == 60


def test_a_long_reader_delays_the_migration_and_no_hit(counter, of_version_1, empty_database):
    """It asks for its locks again and again instead of keeping everybody behind it."""
    reader = psycopg.connect(empty_database)
    reader.execute("SELECT FROM counter.page")

    with ThreadPoolExecutor(1) as pool:
        migration = pool.submit(container().handler, {"action": "migrate"}, None)
        ends = time.monotonic() + 3
        while time.monotonic() < ends:
            answer = counter.handler(request(address=f"{time.monotonic()}:443"), None)
            assert json.loads(answer["body"])["counted"], answer
            time.sleep(0.05)
        assert not migration.done()
        reader.close()
        assert migration.result() == {"version": LATEST}


def test_a_migration_gives_up_and_leaves_all_as_it_was(
    counter, of_version_1, empty_database, monkeypatch
):
    monkeypatch.setattr(counter.actions, "LOCK_SECONDS", 0.05)
    monkeypatch.setattr(counter.actions, "LOCK_PAUSE", 0.01)
    with psycopg.connect(empty_database) as reader:
        reader.execute("SELECT FROM counter.page")
        with pytest.raises(pg8000.native.DatabaseError, match="lock timeout"):
            counter.handler({"action": "migrate"}, None)

    assert counter.handler({"action": "version"}, None) == {"version": 3, "latest": LATEST}
    assert json.loads(counter.handler(request(), None)["body"])["counted"]
    assert counter.handler({"action": "migrate"}, None) == {"version": LATEST}


@pytest.fixture
def long_ago(of_version_1):
    """Four sites with 50 days of 300 paths."""
    of_version_1.execute(
        """INSERT INTO counter.page (site, day, path, pageviews, visits, bots)
        SELECT ('00000000-0000-0000-0000-00000000000' || s)::uuid, date '2025-01-01' + d, '/' || n,
            n, 2, 1
        FROM generate_series(1, 4) s, generate_series(1, 50) d, generate_series(1, 300) n"""
    )
    return of_version_1


def test_a_migration_that_is_too_long_goes_on_in_the_next_call(counter, long_ago, monkeypatch):
    monkeypatch.setattr(counter.actions, "STEPS_SECONDS", 0)
    calls = 0
    while True:
        calls += 1
        assert json.loads(counter.handler(request(), None)["body"])["visits"] == min(calls, 5)
        try:
            answer = counter.handler({"action": "migrate"}, None)
        except counter.actions.Unfinished:
            continue
        break

    assert answer == {"version": LATEST}
    assert calls == 6  # tables; three steps, and none; the rest
    whole = long_ago.execute(
        """SELECT kind, count(*), sum(pageviews), sum(visits), sum(visitors), sum(bots)
        FROM counter.count WHERE hour < '2026-01-01' GROUP BY kind ORDER BY kind"""
    )
    rows, days, sum_ = 4 * 50 * 300, 4 * 50, 4 * 50 * 300 * 301 // 2
    assert whole.fetchall() == [
        (1, rows, sum_, 2 * rows, 2 * rows, rows),
        (7, days, sum_, 2 * rows, 2 * rows, rows),
    ]


def test_a_site_is_forgotten_with_what_is_on_its_way(counter, long_ago, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(counter.actions, "STEPS_SECONDS", 0)
        for _ in range(2):
            with pytest.raises(counter.actions.Unfinished):
                counter.handler({"action": "migrate"}, None)
    monkeypatch.setenv("SITE_UID", "00000000-0000-0000-0000-000000000004")

    assert counter.handler({"action": "forget"}, None) == {"deleted": 50 * 301}
