"""What the function does when it is invoked directly."""

from __future__ import annotations

import json
import re
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pg8000.native
import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.lambda_src.counter.containers import (
    COUNTER,
    NOON,
    container,
    count_hit,
    hit_id,
    hit_query,
    lambda_environment,
    request,
    sums,
)

LATEST = 4


def test_an_unknown_action_names_the_known_ones(counter):
    with pytest.raises(ValueError, match="migrate, version, forget, export, prune"):
        counter.handler({"action": "drop"}, None)


# --- Versions ---------------------------------------------------------------------------------


@pytest.fixture
def empty_database(environment, counter_url, connection, monkeypatch):
    """The connection's URL."""
    name = f"empty_{uuid.uuid4().hex[:8]}"
    connection.execute(f'CREATE DATABASE "{name}"')
    monkeypatch.setenv("DATABASE_NAME", name)
    yield re.sub("[^/]+$", name, counter_url)
    connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


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


# --- Forget -----------------------------------------------------------------------------------


def test_forget_deletes_the_rows_of_this_site_alone(counter, monkeypatch):
    counter.handler(request(), None)
    monkeypatch.setenv("SITE_UID", str(uuid.uuid4()))
    counter.handler(request(), None)

    assert counter.handler({"action": "forget"}, None) == {"deleted": 10}
    answer = json.loads(counter.handler(request(), None)["body"])
    assert answer == {"visits": 1, "counted": True, "reason": ""}


def test_forget_while_hits_arrive_does_not_deadlock(counter, environment, counter_url):
    def visit(number: int) -> None:
        with psycopg.connect(counter_url, autocommit=True) as own:
            for n in range(30):
                count_hit(
                    own,
                    environment,
                    client=bytes([number, n]),
                    address=bytes([n]),
                    path=f"/{n % 3}",
                    slots=4,
                )

    with ThreadPoolExecutor(8) as pool:
        visits = [pool.submit(visit, number) for number in range(8)]
        while not all(v.done() for v in visits):
            counter.handler({"action": "forget"}, None)
        for v in visits:
            v.result()


# --- Export -----------------------------------------------------------------------------------


def export(counter, **asked):
    return counter.handler({"action": "export", **asked}, None)


def pages(counter, limit, epoch=None, position=None):
    """All pages from a position, as a reader asks for them."""
    found, after = [], None
    while True:
        page = export(counter, epoch=epoch, position=position, after=after, limit=limit)
        found.append(page)
        if not page["more"]:
            return found
        after = page["rows"][-1][:4]


def exported(found) -> dict[tuple, list[int]]:
    return {tuple(row[:4]): row[4:] for page in found for row in page["rows"]}


@pytest.fixture
def fresh(counter, empty_database):
    """A migrated database of its own: the answer is of all sites."""
    counter.handler({"action": "migrate"}, None)
    with psycopg.connect(empty_database, autocommit=True) as connection:
        yield connection


def test_an_empty_database_has_an_epoch_and_a_position(counter, fresh):
    ((epoch,),) = fresh.execute("SELECT id FROM counter.epoch").fetchall()
    answer = export(counter, epoch=None, position=None, after=None, limit=10)

    assert answer == {
        "epoch": str(epoch),
        "position": answer["position"],
        "rows": [],
        "more": False,
    }
    assert answer["position"] > 0


def test_keys_come_once_in_order_with_the_sums_of_their_slots(counter, fresh):
    sites = sorted(uuid.uuid4() for _ in range(2))
    for n in range(40):
        slots = 8 if n % 2 else 1
        count_hit(fresh, sites[n % 2], client=bytes([n]), path=f"/{n % 5}", slots=slots)
    fresh.execute("UPDATE counter.count SET slot = 7, changed = '3' WHERE value = '/1'")
    count_hit(fresh, sites[1], client=b"one more", path="/1")

    [whole] = pages(counter, None)
    keys = [tuple(row[:4]) for row in whole["rows"]]
    assert keys == sorted(set(keys))
    assert {row[1] for row in whole["rows"]} == {NOON.isoformat()}
    for site in sites:
        counted = sums(fresh, site)
        rows = {(row[2], row[3]): row[4:] for row in whole["rows"] if row[0] == str(site)}
        assert rows == counted
    for limit in (1, 7, len(keys)):
        in_pages = pages(counter, limit)
        assert exported(in_pages) == exported([whole])
        assert max(len(page["rows"]) for page in in_pages) <= limit


def test_from_the_start_a_page_is_read_from_where_the_last_one_ended(counter, fresh, monkeypatch):
    """Not found by what changed and then put in order, all that is left for each page."""
    fresh.execute(
        """INSERT INTO counter.count (site, hour, kind, value, slot)
        SELECT gen_random_uuid(), %s, 1, n, 0 FROM generate_series(1, 5000) n""",
        [NOON],
    )
    fresh.execute("ANALYZE counter.count")
    run, plans = pg8000.native.Connection.run, []

    def explained(self, sql, **asked):
        if "changed AS" in sql:
            plans.append("\n".join(line for [line] in run(self, "EXPLAIN " + sql, **asked)))
        return run(self, sql, **asked)

    monkeypatch.setattr(pg8000.native.Connection, "run", explained)

    first = export(counter, limit=100)
    export(
        counter, epoch=first["epoch"], position=0, after=[str(uuid.UUID(int=2**127)), NOON, 1, ""]
    )

    for plan in plans:
        assert re.search(r"Unique .*\n *-> +Index Only Scan using count_pkey", plan), plan
    assert len(plans) == 2


def test_of_a_position_only_what_changed_since_is_read(counter, fresh):
    site = uuid.uuid4()
    count_hit(fresh, site, path="/old")
    # While anybody writes on this server, autovacuum too, what they may commit is asked for again.
    for _ in range(50):
        [first] = pages(counter, None)
        since = {"epoch": first["epoch"], "position": first["position"]}
        if not export(counter, **since)["rows"]:
            break
        time.sleep(0.1)
    else:
        pytest.fail("what did not change is read every time")

    count_hit(fresh, site, path="/new", now=NOON + timedelta(hours=2))

    assert {(row[2], row[3]) for row in export(counter, **since)["rows"]} == {
        *((1, "/new"), (2, ""), (3, ""), (4, "desktop"), (5, ""), (6, "00"), (7, "")),
    }


def test_one_slot_that_changed_brings_the_sum_of_all(counter, fresh):
    site = uuid.uuid4()
    count_hit(fresh, site)
    fresh.execute("UPDATE counter.count SET slot = 99")
    [first] = pages(counter, None)

    count_hit(fresh, site, client=b"bob")

    rows = export(counter, epoch=first["epoch"], position=first["position"])["rows"]
    assert {tuple(row[4:]) for row in rows} == {(2, 2, 2, 0)}


@pytest.mark.parametrize(
    "since", [{"epoch": str(uuid.uuid4()), "position": 2**40}, {"position": 2**60}]
)
def test_a_position_that_means_nothing_here_reads_all(counter, fresh, since):
    count_hit(fresh, uuid.uuid4())
    [first] = pages(counter, None)

    answer = export(counter, **{"epoch": first["epoch"], **since})

    assert answer["rows"] == first["rows"]


def test_what_commits_late_is_read_by_the_next(counter, fresh, empty_database):
    """A reader that starts from the first page's position misses no transaction that was open."""
    site = uuid.uuid4()
    count_hit(fresh, site)  # makes the salt, for which the others would wait
    with psycopg.connect(empty_database) as late:
        count_hit(late, site, path="/late")
        count_hit(fresh, uuid.uuid4(), path="/early")
        [first] = pages(counter, None)
        late.commit()

    rows = export(counter, epoch=first["epoch"], position=first["position"])["rows"]
    assert "/late" in {row[3] for row in rows}


def test_an_answer_stays_below_what_lambda_sends(counter, fresh):
    text = "\N{PILE OF POO}" * 490
    fresh.execute(
        """INSERT INTO counter.count (site, hour, kind, value, slot)
        SELECT gen_random_uuid(), now(), 1, %s || n, 0 FROM generate_series(1, 2000) n""",
        [text],
    )

    found = pages(counter, 2000)

    assert len(exported(found)) == 2000
    assert len(found) > 1
    assert max(len(json.dumps(page)) for page in found) < 6_000_000


# --- Prune ------------------------------------------------------------------------------------


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
        fresh.execute("SET statement_timeout = 1000")
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


KEYS = st.tuples(
    st.sampled_from([uuid.UUID(int=1), uuid.UUID(int=2)]),
    st.sampled_from(["/", "/a", "/Z", "/é", "/\N{SNOWMAN}", "/a b", "/a,b", '/"']),
    st.integers(0, 2),
)


@settings(max_examples=15, deadline=None)
@given(batches=st.lists(st.lists(KEYS, max_size=6), max_size=4), limit=st.sampled_from([3, 10, 40]))
def test_a_reader_that_follows_has_the_sums(counter_url, batches, limit):
    """Whatever is counted between its pages: at last it has what the database has."""
    sites = {uuid.UUID(int=1), uuid.UUID(int=2)}
    module = container()
    since: dict[str, object] = {}
    read: dict[tuple, list[int]] = {}
    with (
        pytest.MonkeyPatch.context() as patch,
        psycopg.connect(counter_url, autocommit=True) as own,
    ):
        own.execute("TRUNCATE counter.count, counter.total, counter.hit, counter.visitor")
        for name, value in lambda_environment(counter_url, str(uuid.uuid4())).items():
            patch.setenv(name, value)
        for batch in [*batches, []]:
            for n, (site, path, hour) in enumerate(batch):
                now = NOON + timedelta(hours=hour)
                count_hit(own, site, client=bytes([n]), path=path, hit=hit_id(now), now=now)
            found = pages(module, limit, **since)
            read |= exported(found)
            since = {"epoch": found[0]["epoch"], "position": found[0]["position"]}
        for site in sites:
            assert added_up(read, site) == sums(own, site)


def added_up(read, site):
    total: dict[tuple[int, str], list[int]] = {}
    for (of, _, kind, value), row in read.items():
        if of == str(site):
            before = total.get((kind, value), [0, 0, 0, 0])
            total[kind, value] = [*map(sum, zip(before, row, strict=True))]
    return total
