"""The connection, the schema, and the laws of ``count_hit``."""

from __future__ import annotations

import json
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl

import boto3
import pg8000.native
import psycopg
import pytest
from botocore import auth
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.lambda_src.counter.containers import container, request

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def hit(connection, site, *, client=b"alice", hit_id=None, is_bot=False, path="/", now=NOON):
    """``(pageviews, counted)`` of one call of the SQL function."""
    return connection.execute(
        "SELECT * FROM counter.count_hit(%s, %s, %s, %s, %s, %s)",
        [site, path, client, hit_id or uuid.uuid4(), is_bot, now],
    ).fetchone()


# --- The limit --------------------------------------------------------------------------------


def test_the_sixth_within_a_minute_is_not_counted(connection):
    site = uuid.uuid4()
    seconds = [0, 10, 20, 30, 40, 59.999, 60, 61, 70]

    counted = [hit(connection, site, now=NOON + timedelta(seconds=s))[1] for s in seconds]

    assert counted == [True] * 5 + [False, True, False, True]


def test_visitors_and_sites_have_limits_of_their_own(connection):
    one, other = uuid.uuid4(), uuid.uuid4()
    for _ in range(6):
        hit(connection, one)

    assert hit(connection, one, client=b"bob") == (6, True)
    assert hit(connection, other) == (1, True)


VISITOR = st.sampled_from([b"alice", b"bob"])
PATH = st.sampled_from(["/", "/about"])
STEP = st.integers(0, 45)


@settings(max_examples=40, deadline=None)
@given(hits=st.lists(st.tuples(STEP, VISITOR, PATH, st.booleans()), max_size=40))
def test_every_hit_is_counted_as_the_model_says(counter_url, hits):
    """Against a list of times for each visitor: no sixth in any minute, and all sums add up."""
    site, now = uuid.uuid4(), NOON
    taken: dict[bytes, list[datetime]] = {}
    pages: dict[str, list[int]] = {}
    with psycopg.connect(counter_url, autocommit=True) as connection:
        for step, client, path, is_bot in hits:
            now += timedelta(seconds=step)
            who = client + (b" bot" if is_bot else b"")
            times = taken.setdefault(who, [])
            allowed = sum(now - t < timedelta(minutes=1) for t in times) < 5
            if allowed:
                page = pages.setdefault(path, [0, 0, 0])
                for column, more in enumerate((not is_bot, not is_bot and not times, is_bot)):
                    page[column] += more
                times.append(now)
            answer = hit(connection, site, client=who, path=path, is_bot=is_bot, now=now)
            total = sum(page[0] for page in pages.values())
            assert answer == (total, allowed and not is_bot)
        rows = connection.execute(
            "SELECT path, pageviews, visits, bots FROM counter.page WHERE site = %s", [site]
        ).fetchall()
    assert {path: list(numbers) for path, *numbers in rows} == pages


def test_a_clock_that_goes_back_gives_no_extra_tokens(connection):
    site = uuid.uuid4()
    for _ in range(5):
        hit(connection, site)

    assert hit(connection, site, now=NOON - timedelta(minutes=5)) == (5, False)


def test_a_hit_that_is_sent_again_is_counted_once(connection):
    site, hit_id = uuid.uuid4(), uuid.uuid4()

    answers = [hit(connection, site, hit_id=hit_id) for _ in range(3)]

    assert answers == [(1, True)] * 3


# --- Days -------------------------------------------------------------------------------------


def test_at_midnight_yesterdays_salt_goes_and_visitors_are_strangers(connection):
    site = uuid.uuid4()
    connection.execute("TRUNCATE counter.salt, counter.visitor")
    for day in range(3):
        hit(connection, site, now=NOON + timedelta(days=day))

    salts = connection.execute("SELECT day FROM counter.salt").fetchall()
    assert salts == [((NOON + timedelta(days=2)).date(),)]
    visits = connection.execute("SELECT visits FROM counter.page WHERE site = %s", [site])
    assert visits.fetchall() == [(1,), (1,), (1,)]
    left = connection.execute("SELECT count(*) FROM counter.visitor WHERE site = %s", [site])
    assert left.fetchone() == (1,)


def test_the_first_hits_of_a_day_agree_on_its_salt(counter_url, connection):
    connection.execute("DELETE FROM counter.salt")
    site = uuid.uuid4()

    def first(_: int) -> bool:
        with psycopg.connect(counter_url, autocommit=True) as own:
            return bool(hit(own, site)[1])

    with ThreadPoolExecutor(12) as pool:
        counted = list(pool.map(first, range(12)))

    assert sum(counted) == 5
    rows = connection.execute("SELECT count(*) FROM counter.visitor WHERE site = %s", [site])
    assert rows.fetchone() == (1,)


def test_neither_address_nor_user_agent_is_stored(counter, environment, connection):
    counter.handler(request(agent="Netscape/4.0", address="203.0.113.77:9"), None)

    rows = connection.execute(
        "SELECT to_jsonb(v)::text FROM counter.visitor v WHERE site = %s", [environment]
    ).fetchall()
    assert len(rows) == 1
    unsalted = counter._client(request(agent="Netscape/4.0", address="203.0.113.77:9"))
    for secret in ("Netscape", "203.0.113.77", unsalted.hex()):
        assert secret not in rows[0][0]


# --- The connection ---------------------------------------------------------------------------


def backend_pids(connection) -> set[int]:
    rows = connection.execute(
        "SELECT pid FROM pg_stat_activity WHERE application_name = 'cloudadmin-counter'"
    )
    return {pid for (pid,) in rows.fetchall()}


def test_a_container_keeps_its_connection(counter, connection):
    before = backend_pids(connection)
    counter.handler(request(), None)
    first = backend_pids(connection) - before
    counter.handler(request(), None)

    assert len(first) == 1
    assert backend_pids(connection) - before == first


def test_a_connection_that_broke_is_made_anew(counter, connection):
    before = backend_pids(connection)
    counter.handler(request(), None)
    for pid in backend_pids(connection) - before:
        connection.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])

    response = counter.handler(request(), None)

    assert json.loads(response["body"]) == {"visits": 2, "counted": True}


def test_a_lost_answer_is_asked_for_again_and_counted_once(counter, environment, monkeypatch):
    """The server has counted, the reply never arrives: the retry finds the hit."""
    prepared = pg8000.native.PreparedStatement
    run, calls = prepared.run, []

    def lose_the_first(self, **params):
        rows = run(self, **params)
        calls.append(params["hit"])
        if len(calls) == 1:
            raise pg8000.native.InterfaceError("network error")
        return rows

    monkeypatch.setattr(prepared, "run", lose_the_first)
    response = counter.handler(request(), None)

    assert json.loads(response["body"]) == {"visits": 1, "counted": True}
    assert len(calls) == 2


def test_after_a_long_silence_the_connection_is_not_trusted(counter, connection, monkeypatch):
    before = backend_pids(connection)
    counter.handler(request(), None)
    first = backend_pids(connection) - before
    counter.counter._used_at -= 301
    counter.handler(request(), None)

    assert not first & backend_pids(connection)


def test_a_locked_row_is_given_up_after_two_seconds(counter, counter_url, environment):
    counter.handler(request(), None)
    with psycopg.connect(counter_url) as blocker:
        blocker.execute("SELECT FROM counter.total WHERE site = %s FOR UPDATE", [environment])
        response = counter.handler(request(), None)

    assert response["statusCode"] == 503
    assert json.loads(counter.handler(request(), None)["body"])["visits"] == 2


def in_order(token: str) -> tuple[str, list[tuple[str, str]]]:
    """The signature is over the sorted query; in the token itself the order is free."""
    address, query = token.split("?")
    return address, sorted(parse_qsl(query, strict_parsing=True))


@pytest.mark.parametrize("session_token", ["", "FwoGZXIvYXdzE/a+b=="])
def test_the_token_is_the_one_that_botocore_makes(counter, monkeypatch, session_token):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
    monkeypatch.setenv("AWS_SESSION_TOKEN", session_token)
    # The signer in Python: the one in C reads a clock that cannot be set.
    monkeypatch.setitem(auth.AUTH_TYPE_MAPS, "v4-query", auth.SigV4QueryAuth)
    monkeypatch.setattr(auth, "get_current_datetime", lambda: NOON.replace(tzinfo=None))
    host, port = "counter.abc.eu-west-1.rds.amazonaws.com", 5432

    rds = boto3.Session(region_name="us-east-1").client("rds")
    theirs = rds.generate_db_auth_token(host, port, "the counter")
    ours = counter.database.iam_token(host, port, "the counter", NOON)

    assert in_order(ours) == in_order(theirs)


# --- Actions ----------------------------------------------------------------------------------


@pytest.fixture
def empty_database(environment, connection, monkeypatch):
    name = f"empty_{uuid.uuid4().hex[:8]}"
    connection.execute(f'CREATE DATABASE "{name}"')
    monkeypatch.setenv("DATABASE_NAME", name)
    yield name
    connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def test_migrate_is_idempotent(counter, empty_database):
    assert counter.handler({"action": "version"}, None) == {"version": 0, "latest": 1}
    assert counter.handler({"action": "forget"}, None) == {"deleted": 0}
    assert counter.handler({"action": "migrate"}, None) == {"version": 1}
    assert counter.handler({"action": "migrate"}, None) == {"version": 1}
    assert counter.handler({"action": "version"}, None) == {"version": 1, "latest": 1}


def test_eight_migrations_at_once_are_one(empty_database):
    containers = [container() for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        answers = pool.map(lambda module: module.handler({"action": "migrate"}, None), containers)

    assert list(answers) == [{"version": 1}] * 8


def test_without_the_schema_counting_is_a_503(counter, empty_database):
    assert counter.handler(request(), None)["statusCode"] == 503


def test_forget_deletes_the_rows_of_this_site_alone(counter, monkeypatch):
    counter.handler(request(), None)
    monkeypatch.setenv("SITE_UID", str(uuid.uuid4()))
    counter.handler(request(), None)

    assert counter.handler({"action": "forget"}, None) == {"deleted": 3}
    assert json.loads(counter.handler(request(), None)["body"]) == {"visits": 1, "counted": True}
