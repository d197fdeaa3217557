"""A dump of the database and of the logs holds no address, no user agent and no cookie.

``COUNTER=whole`` makes the hits ten thousand.
"""

from __future__ import annotations

import ipaddress
import logging
import os
import time
import uuid

import psycopg

from tests.lambda_src.counter.containers import container, lambda_environment, request
from tests.lambda_src.counter.server import migrate, running

HITS = 10_000 if os.environ.get("COUNTER") == "whole" else 400
AGENT = "Netscape/4.{} (a rare browser)"
COOKIE = "session=5up3r53cr3t"
PRIVATE = "private-words"
QUERIES = ("p=/", "p=/%FF", "h=1", "o=1", f"r=https://example.org/?q={PRIVATE}", "")
COUNTED = (0, 4, 5)


def address(number: int) -> str:
    if number % 2:
        return str(ipaddress.IPv6Address("2001:db8::5ec:7e7") + (number << 64))
    return str(ipaddress.IPv4Address("198.18.0.0") + number)


def event(number: int) -> dict:
    return request(
        query=QUERIES[number % len(QUERIES)],
        address=f"{address(number)}:46532",
        agent=AGENT.format(number),
        cookie=COOKIE,
        referer=f"https://example.com/page?token={PRIVATE}",
    )


def test_nothing_of_a_visitor_is_left(tmp_path, monkeypatch, caplog):
    caplog.set_level(logging.DEBUG)
    with running(tmp_path) as server:
        for name, value in lambda_environment(server.url, str(uuid.uuid4())).items():
            monkeypatch.setenv(name, value)
        migrate()
        module = container()
        for number in range(HITS):
            module.handler(event(number), None)
        with psycopg.connect(server.url, autocommit=True) as connection:
            hits = connection.execute("SELECT count(*) FROM counter.hit").fetchone()
            # What goes wrong is logged, here and there.
            connection.execute("ALTER TABLE counter.visitor RENAME TO away")
            answer = module.handler(event(0), None)
            connection.execute("ALTER TABLE counter.away RENAME TO visitor")
        module.counter.close()
        kept = server.dump() + server.log + caplog.text

    assert hits == (sum(number % len(QUERIES) in COUNTED for number in range(HITS)),)
    assert answer["statusCode"] == 503
    assert "42P01" in caplog.text
    assert 'relation "counter.visitor" does not exist' in server.log
    for secret in (
        "Netscape",
        "a rare browser",
        "5up3r53cr3t",
        PRIVATE,
        *map(address, range(HITS)),
    ):
        assert secret not in kept
    read = container("hit").read
    counted = [read(event(n), time.time()) for n in range(HITS) if n % len(QUERIES) in COUNTED]
    assert not [hit for hit in counted if hit.client.hex() in kept or hit.address.hex() in kept]
