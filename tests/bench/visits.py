"""The counter: through the edge, in the function's own code, and in SQL alone."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable
from importlib.util import find_spec
from statistics import median

import psycopg
import pytest

from cloudadmin import embedded
from cloudadmin.aws import Access, Clients
from sites.provisioning.package import build
from tests.bench import cold_start, flood, increments
from tests.bench.table import Row, percentile, ratio
from tests.e2e.conftest import Up
from tests.lambda_src.counter.containers import (
    COUNTER,
    container,
    hit_query,
    lambda_environment,
    request,
)

SITE = "bench-counter"
REQUESTS = 400
WARM_UP = 20
ROUNDS = 3
COUNT_HIT = """SELECT pageviews, counted, reason FROM counter.count_hit(
    %s, '/', %s, %s, gen_random_uuid(), false, '', '', 'desktop', '', 1, NULL, NULL, NULL)"""


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
        Row(
            "counter: the function's code over SQL alone",
            f"{(median(code) - median(floor)) * 1000:.2f} ms",
            note="medians, warm; goal 2 ms",
        ),
        *(_one_row(url, slots) for slots in (1, 8)),
        _cold_start(url),
        Row("counter: package", f"{len(build(COUNTER)) / 1000:.0f} kB", note="goal 1,000 kB"),
        *_flood(up, host, url),
    ]


def _one_row(url: str, slots: int) -> Row:
    rounds = [(increments.ours(url, slots), increments.pgbench(url, slots)) for _ in range(ROUNDS)]
    ours, theirs = zip(*rounds, strict=True)
    return Row(
        f"increments of one site, {increments.CLIENTS} clients, SLOTS={slots}",
        f"{median(ours):.0f}/s",
        f"pgbench {median(theirs):.0f}/s",
        ratio(ours, theirs),
        note=f"{median(ours) / median(theirs):.2f} of it; goal 0.8",
    )


def _cold_start(url: str) -> Row:
    what = "counter: cold start to the first answer"
    if find_spec("awslambdaric") is None:
        return Row(what, "", note="not measured: awslambdaric is not installed")
    taken = [seconds * 1000 for seconds in cold_start.measure(url)]
    return Row(
        what, f"{median(taken):.0f} ms ({min(taken):.0f} to {max(taken):.0f})", note="goal 300 ms"
    )


def _flood(up: Up, host: str, url: str) -> list[Row]:
    felt = flood.measure(up.run["edge"], host, url)
    rate = len(felt.flood) / flood.SECONDS
    return [
        Row(
            f"counter under a flood of {flood.ADDRESSES} addresses: normal clients",
            f"p99 {percentile(felt.normal, 0.99) * 1000:.0f} ms",
            f"flood p50 {median(felt.flood) * 1000:.0f} ms",
            note=f"{rate:.0f}/s came through of {flood.RATE}/s, {felt.refused} refused,"
            f" {felt.connections} connections; goal 200 ms",
        )
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
            address = {"X-Localcloud-Viewer-Address": f"203.0.{number // 250}.{number % 250}"}
            answer = visitor.get("/_cloudadmin/count", headers=address)
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
                event = request(query=hit_query(), address=f"visitor {number}:443")
                return bool(json.loads(function.handler(event, None)["body"])["counted"])

            return _timed(visit)
        finally:
            function.counter.close()


def _in_sql(url: str) -> list[float]:
    site = uuid.uuid4()
    with psycopg.connect(url, autocommit=True, prepare_threshold=0) as connection:

        def visit(number: int) -> bool:
            who = number.to_bytes(32, "big")
            row = connection.execute(COUNT_HIT, [site, who, b"at " + who]).fetchone()
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
