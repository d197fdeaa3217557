"""The laws of ``count_hit``: what is counted, once, under which kinds, and what stays of it."""

from __future__ import annotations

import uuid
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import NamedTuple

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.lambda_src.counter.containers import NOON, count_hit, hit_id, sums

MINUTE, HALF_AN_HOUR, DAY = timedelta(minutes=1), timedelta(minutes=30), timedelta(days=1)


# --- Once -------------------------------------------------------------------------------------


def test_a_hit_that_is_sent_again_is_counted_once(connection):
    site, hit = uuid.uuid4(), hit_id(NOON)

    told = [count_hit(connection, site, hit=hit) for _ in range(3)]

    assert told == [(1, True, ""), (1, False, "again"), (1, False, "again")]


def test_the_last_hit_within_the_limit_is_known_again(connection):
    site, hit = uuid.uuid4(), hit_id(NOON)
    for _ in range(4):
        count_hit(connection, site)

    assert count_hit(connection, site, hit=hit) == (5, True, "")
    assert count_hit(connection, site, hit=hit) == (5, False, "again")
    assert count_hit(connection, site) == (5, False, "limit")


def test_what_was_over_the_limit_may_be_sent_again(connection):
    site, hit = uuid.uuid4(), hit_id(NOON)
    for _ in range(5):
        count_hit(connection, site)

    assert count_hit(connection, site, hit=hit).reason == "limit"
    assert count_hit(connection, site, hit=hit, now=NOON + MINUTE) == (6, True, "")


def test_nobody_uses_up_the_id_of_somebody_else(connection):
    one, other, hit = uuid.uuid4(), uuid.uuid4(), hit_id(NOON)

    assert count_hit(connection, one, hit=hit).counted
    assert count_hit(connection, one, hit=hit, client=b"bob").counted
    assert count_hit(connection, other, hit=hit).counted


@pytest.mark.parametrize("later", [timedelta(seconds=2), timedelta(hours=23, minutes=59)])
def test_a_hit_is_counted_once_on_either_side_of_midnight(connection, later):
    site, before = uuid.uuid4(), NOON.replace(hour=23, minute=59, second=59)
    hit = hit_id(before)
    count_hit(connection, site, hit=hit, now=before)

    assert count_hit(connection, site, hit=hit, now=before + later) == (1, False, "again")


def test_a_hit_that_comes_sixteen_times_at_once_is_counted_once(counter_url, connection):
    site, hit = uuid.uuid4(), hit_id(NOON)

    told = at_once(counter_url, lambda own, _: count_hit(own, site, hit=hit))

    assert sorted(t.reason for t in told) == [""] + ["again"] * 15
    assert sums(connection, site)[7, ""] == [1, 1, 1, 0]


def at_once(counter_url, act):
    """The answers of sixteen connections."""

    def one(number):
        with psycopg.connect(counter_url, autocommit=True) as own:
            return act(own, number)

    with ThreadPoolExecutor(16) as pool:
        return list(pool.map(one, range(16)))


# --- Kinds ------------------------------------------------------------------------------------


def test_a_hit_is_counted_in_each_kind(connection):
    site = uuid.uuid4()
    count_hit(
        connection,
        site,
        path="/a",
        referrer="example.org",
        country="NZ",
        device="tablet",
        deployment="12",
        now=NOON + timedelta(minutes=7, seconds=59),
    )

    assert sums(connection, site) == dict.fromkeys(
        [
            (1, "/a"),
            (2, "example.org"),
            (3, "NZ"),
            (4, "tablet"),
            (5, "12"),
            (6, "07"),
            (7, ""),
        ],
        [1, 1, 1, 0],
    )
    hours = connection.execute("SELECT DISTINCT hour FROM counter.count WHERE site = %s", [site])
    assert hours.fetchall() == [(NOON,)]


def test_half_an_hour_of_silence_makes_a_visit_of_the_same_visitor(connection):
    site, now = uuid.uuid4(), NOON
    for silence in (timedelta(), HALF_AN_HOUR - MINUTE, HALF_AN_HOUR, MINUTE):
        now += silence
        count_hit(connection, site, now=now)

    assert sums(connection, site)[7, ""] == [4, 2, 1, 0]


def test_what_was_left_out_is_noted_when_it_is_told(connection):
    site = uuid.uuid4()
    for _ in range(5):
        count_hit(connection, site)

    count_hit(connection, site)
    assert (0, "limit") not in sums(connection, site)
    count_hit(connection, site, left_out={})
    count_hit(connection, site, left_out={"head": 3, "limit": 2})
    count_hit(connection, site, client=None, left_out={"declined": 1})

    noted = {value: row[0] for (kind, value), row in sums(connection, site).items() if kind == 0}
    assert noted == {"limit": 4, "head": 3, "declined": 1}


class Sent(NamedTuple):
    seconds: int  # since the one before
    client: bytes
    is_bot: bool
    path: str
    referrer: str
    slots: int
    again: int | None  # the place of an earlier one that is sent again


SENT = st.builds(
    Sent,
    seconds=st.one_of(st.integers(0, 45), st.sampled_from([1799, 1800, 7000, 50_000])),
    client=st.sampled_from([b"alice", b"bob"]),
    is_bot=st.booleans(),
    path=st.sampled_from(["/", "/about"]),
    referrer=st.sampled_from(["", "example.org"]),
    slots=st.sampled_from([1, 8]),
    again=st.one_of(st.none(), st.integers(0, 20)),
)


class Model:
    """What the counter is, with a list of times for each visitor and a set of ids."""

    def __init__(self) -> None:
        self.times: dict[tuple, list[datetime]] = defaultdict(list)
        self.hits: set[tuple] = set()
        self.sums: dict[tuple[int, str], list[int]] = defaultdict(lambda: [0, 0, 0, 0])
        self.total = 0

    def count(self, sent: Sent, who: bytes, hit: uuid.UUID, now: datetime) -> tuple:
        times = self.times[who, now.date()]
        if (who, hit) in self.hits:
            return self.total, False, "again"
        if sum(now - time < MINUTE for time in times) >= 5:
            return self.total, False, "limit"
        self.hits.add((who, hit))
        is_visit = not times or now - times[-1] >= HALF_AN_HOUR
        row = [1, is_visit, not times, 0] if not sent.is_bot else [0, 0, 0, 1]
        values = [sent.path, sent.referrer, "", "desktop", "", f"{now.minute:02}", ""]
        for kind, value in enumerate(values, 1):
            if not sent.is_bot or kind in (1, 6, 7):
                self.sums[kind, value] = [*map(sum, zip(self.sums[kind, value], row, strict=True))]
        times.append(now)
        self.total += not sent.is_bot
        return self.total, not sent.is_bot, ""


@settings(max_examples=40, deadline=None)
@given(sequence=st.lists(SENT, max_size=30))
def test_every_hit_is_counted_as_the_model_says(counter_url, sequence):
    site, now, model = uuid.uuid4(), NOON, Model()
    earlier: list[tuple[Sent, bytes, uuid.UUID, datetime]] = []
    with psycopg.connect(counter_url, autocommit=True) as connection:
        for sent in sequence:
            now += timedelta(seconds=sent.seconds)
            who, hit = sent.client + (b" bot" if sent.is_bot else b""), hit_id(now)
            if sent.again is not None and sent.again < len(earlier):
                before, its_who, its_hit, at = earlier[sent.again]
                if now - at < DAY:  # afterwards the function refuses it by its time
                    sent, who, hit = before, its_who, its_hit
            earlier.append((sent, who, hit, now))
            told = count_hit(
                connection,
                site,
                client=who,
                hit=hit,
                is_bot=sent.is_bot,
                path=sent.path,
                referrer=sent.referrer,
                slots=sent.slots,
                now=now,
            )
            assert told == model.count(sent, who, hit, now)
        assert sums(connection, site) == model.sums


# --- Rows in use ------------------------------------------------------------------------------


def test_slots_spread_a_site_over_rows_and_show_their_sum(counter_url, connection):
    site = uuid.uuid4()

    at_once(counter_url, lambda own, n: count_hit(own, site, client=bytes([n]), slots=8))

    slots = connection.execute("SELECT slot FROM counter.total WHERE site = %s", [site]).fetchall()
    assert len(slots) > 1
    assert max(slots) < (8,)
    assert count_hit(connection, site, client=None).pageviews == 16
    assert sums(connection, site)[7, ""] == [16, 16, 16, 0]


def test_hits_of_all_sorts_at_once_do_not_deadlock(counter_url, connection):
    """Sites, values, visitors and ids cross each other as much as they can."""
    sites = [uuid.uuid4() for _ in range(2)]
    shared = hit_id(NOON)

    def many(own, number):
        for n in range(25):
            count_hit(
                own,
                sites[(number + n) % 2],
                client=bytes([n % 5, number % 3]),
                address=bytes([n % 5]),
                hit=shared if n % 7 == 0 else None,
                is_bot=n % 6 == 0,
                path=f"/{(number * n) % 4}",
                referrer=f"{(number + n) % 3}.example",
                slots=2,
                left_out={"limit": 1, "head": 1} if n % 2 else {"head": 1, "limit": 1},
                now=NOON + timedelta(minutes=5 * n),
            )

    at_once(counter_url, many)

    for site in sites:
        counted = sums(connection, site)
        for kind in range(1, 8):
            of_kind = [row[0] for (found, _), row in counted.items() if found == kind]
            assert sum(of_kind) == count_hit(connection, site, client=None).pageviews


def test_a_plan_of_when_it_was_empty_still_finds_its_way(connection):
    """No hit reads a whole table, however much came since the connection made its plans."""
    site = uuid.uuid4()
    connection.execute("TRUNCATE counter.hit, counter.visitor, counter.total")
    for n in range(20):
        count_hit(connection, site, client=bytes([n]))
    connection.execute(
        "INSERT INTO counter.hit SELECT %s, gen_random_uuid() FROM generate_series(1, 20000)",
        [NOON.date()],
    )
    connection.execute("SELECT pg_stat_force_next_flush()")

    with connection.transaction():
        for n in range(20):
            count_hit(connection, site, client=bytes([n, n]))
        scanned = connection.execute(
            "SELECT relname FROM pg_stat_xact_user_tables"
            " WHERE relname IN ('hit', 'visitor', 'total', 'count') AND seq_scan > 0"
        ).fetchall()

    assert scanned == []


# --- Days -------------------------------------------------------------------------------------


def test_at_midnight_yesterdays_salt_goes_and_visitors_are_strangers(connection):
    site = uuid.uuid4()
    connection.execute("TRUNCATE counter.salt, counter.visitor")
    for day in range(3):
        count_hit(connection, site, now=NOON + timedelta(days=day))

    salts = connection.execute("SELECT day FROM counter.salt").fetchall()
    assert salts == [((NOON + timedelta(days=2)).date(),)]
    assert sums(connection, site)[7, ""] == [3, 3, 3, 0]
    left = connection.execute("SELECT count(*) FROM counter.visitor WHERE site = %s", [site])
    assert left.fetchone() == (2,)  # and of the address


def test_ids_of_two_days_are_kept_and_older_ones_swept(connection):
    connection.execute("TRUNCATE counter.hit")
    site = uuid.uuid4()
    for day in range(4):
        for n in range(3):
            count_hit(connection, site, client=bytes([n]), now=NOON + day * DAY)

    days = connection.execute("SELECT day, count(*) FROM counter.hit GROUP BY day ORDER BY day")
    assert days.fetchall() == [((NOON + day * DAY).date(), 3) for day in (2, 3)]


def test_no_id_makes_a_row_that_stays(connection):
    connection.execute("TRUNCATE counter.hit")
    for hit in (uuid.UUID(int=0), uuid.UUID(int=2**128 - 1), uuid.uuid4()):
        assert count_hit(connection, uuid.uuid4(), hit=hit).counted

    (oldest, newest) = connection.execute("SELECT min(day), max(day) FROM counter.hit").fetchone()
    assert NOON.date() - DAY <= oldest <= newest <= NOON.date() + DAY


def test_the_first_hits_of_a_day_agree_on_its_salt(counter_url, connection):
    connection.execute("DELETE FROM counter.salt")
    site = uuid.uuid4()

    told = at_once(counter_url, lambda own, _: count_hit(own, site))

    assert sum(t.counted for t in told) == 5
    rows = connection.execute("SELECT count(*) FROM counter.visitor WHERE site = %s", [site])
    assert rows.fetchone() == (2,)  # and of the address
