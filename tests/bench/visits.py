"""The counter: through the edge, in the function's own code, and in SQL alone."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable
from statistics import median
from typing import Any

import psycopg
import pytest

from cloudadmin import embedded
from cloudadmin.aws import Access, Clients
from tests.bench.table import Row, percentile
from tests.e2e.conftest import Up
from tests.lambda_src.counter.containers import container, lambda_environment, request

SITE = "bench-counter"
REQUESTS = 400
WARM_UP = 20
COUNT_HIT = "SELECT pageviews, counted FROM counter.count_hit(%s, %s, %s, %s, false, NULL)"


def measure(up: Up) -> list[Row]:
    """One client after another, each a visitor of their own, so that all of them are counted."""
    host = up.live_site(SITE)
    url = _database_url(up)
    edge = _through_the_edge(up, host)
    code = _in_the_handler(url)
    floor = _in_sql(url)
    return [
        _row("counter through the edge, 1 client", edge, "of it the function's code", code),
        _row("the function's code, in this process", code, "of it SQL", floor),
        _row("`count_hit`, psycopg, one session", floor),
    ]


def _row(what: str, samples: list[float], of_it: str = "", part: list[float] | None = None) -> Row:
    middle = median(samples)
    return Row(
        what,
        f"{len(samples) / sum(samples):.0f}/s",
        f"{of_it} {median(part) / middle:.0%}" if part else "",
        note=f"p50 {middle * 1000:.2f} ms, p99 {percentile(samples, 0.99) * 1000:.2f} ms",
    )


def _through_the_edge(up: Up, host: str) -> list[float]:
    with up.visitor(host) as visitor:

        def visit(number: int) -> bool:
            agent = {"User-Agent": f"Mozilla/5.0 visitor {number}"}
            answer = visitor.get("/_cloudadmin/count", headers=agent)
            answer.raise_for_status()
            return bool(answer.json()["counted"])

        return _timed(visit)


def _in_the_handler(url: str) -> list[float]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in lambda_environment(url, str(uuid.uuid4())).items():
            patch.setenv(name, value)
        function = container()
        try:

            def visit(number: int) -> bool:
                event = request(agent=f"Mozilla/5.0 visitor {number}")
                return bool(json.loads(function.handler(event, None)["body"])["counted"])

            return _timed(visit)
        finally:
            function.counter.close()


def _in_sql(url: str) -> list[float]:
    site = uuid.uuid4()
    with psycopg.connect(url, autocommit=True, prepare_threshold=0) as connection:

        def visit(number: int) -> bool:
            hit: list[Any] = [site, "/", number.to_bytes(32, "big"), uuid.uuid4()]
            row = connection.execute(COUNT_HIT, hit).fetchone()
            return row is not None and bool(row[1])

        return _timed(visit)


def _timed(visit: Callable[[int], bool]) -> list[float]:
    """Seconds of each visit once warm. Raises AssertionError when one was not counted."""
    samples = []
    for number in range(WARM_UP + REQUESTS):
        started = time.perf_counter()
        counted = visit(number)
        samples.append(time.perf_counter() - started)
        if not counted:
            raise AssertionError(f"visitor {number} was not counted")
    return samples[WARM_UP:]


def _database_url(up: Up) -> str:
    rds = Clients(Access("us-east-1", endpoint_url=up.run["aws_endpoint"])).rds
    (instance,) = rds.describe_db_instances()["DBInstances"]
    return embedded.postgres_url(instance["Endpoint"]["Port"], instance["DBName"])
