"""Five a minute for a visitor, thirty for an address, to the hit."""

from __future__ import annotations

import uuid
from datetime import timedelta

from tests.lambda_src.counter.containers import NOON, count_hit
from tests.lambda_src.counter.test_schema import at_once

MINUTE, HALF_AN_HOUR, DAY = timedelta(minutes=1), timedelta(minutes=30), timedelta(days=1)


def test_the_sixth_within_a_minute_is_not_counted(connection):
    site = uuid.uuid4()
    seconds = [0, 10, 20, 30, 40, 59.999, 60, 61, 70]

    told = [count_hit(connection, site, now=NOON + timedelta(seconds=s)) for s in seconds]

    assert [t.counted for t in told] == [True] * 5 + [False, True, False, True]
    assert [t.reason for t in told] == [""] * 5 + ["limit", "", "limit", ""]


def test_visitors_and_sites_have_limits_of_their_own(connection):
    one, other = uuid.uuid4(), uuid.uuid4()
    for _ in range(6):
        count_hit(connection, one)

    assert count_hit(connection, one, client=b"bob") == (6, True, "")
    assert count_hit(connection, other) == (1, True, "")


def test_an_address_has_thirty_tokens_for_all_of_its_visitors(connection):
    site = uuid.uuid4()
    told = [
        count_hit(
            connection,
            site,
            client=bytes([n]),
            address=b"office",
            now=NOON + n * timedelta(seconds=1),
        )
        for n in range(35)
    ]

    assert [t.reason for t in told] == [""] * 30 + ["limit"] * 5
    assert count_hit(connection, site, client=b"\0", address=b"home", now=NOON + MINUTE / 2).counted
    later = [
        count_hit(connection, site, client=bytes([n]), address=b"office", now=NOON + MINUTE)
        for n in range(2)
    ]
    assert [t.reason for t in later] == ["", "limit"]


def test_what_is_over_the_limit_takes_no_token_of_the_address(counter_url, connection):
    site = uuid.uuid4()
    at_once(
        counter_url,
        lambda own, _: [count_hit(own, site, address=b"office") for _ in range(4)],
    )

    told = [count_hit(connection, site, client=bytes([n]), address=b"office") for n in range(26)]

    assert [t.reason for t in told] == [""] * 25 + ["limit"]


def test_a_clock_that_goes_back_gives_no_extra_tokens(connection):
    site = uuid.uuid4()
    for _ in range(5):
        count_hit(connection, site)

    assert count_hit(connection, site, now=NOON - timedelta(minutes=5)) == (5, False, "limit")


def test_a_flood_writes_nothing(connection):
    """No transaction is begun, so nothing waits for the disk, and no row is locked."""
    site = uuid.uuid4()
    for _ in range(5):
        count_hit(connection, site)

    with connection.transaction():
        for _ in range(20):
            assert count_hit(connection, site) == (5, False, "limit")
        began = connection.execute("SELECT pg_current_xact_id_if_assigned()").fetchone()

    assert began == (None,)
