"""What a reader is given, and that it misses nothing."""

from __future__ import annotations

import json
import re
import time
import uuid
from datetime import timedelta

import pg8000.native
import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.lambda_src.counter.containers import (
    NOON,
    container,
    count_hit,
    hit_id,
    lambda_environment,
    sums,
)
from tests.lambda_src.counter.exports import export, exported, pages


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
