"""SIGKILL to what the work runs on, while it runs: every accepted operation reaches its end.

``SWEEP=whole`` kills each victim five times instead of once, each with a site of its own, and
measures the pick-up of each.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import psutil
import psycopg
import pytest
import redis
from celery import Celery

from sites.management.command import TRY_AGAIN_LATER
from sites.pace import RATES
from tests.e2e.conftest import PACE, Up
from tests.localcloud import http

IS_WHOLE = os.environ.get("SWEEP") == "whole"
ROUNDS = 5 if IS_WHOLE else 1
# DESIGN: the pick-up after a kill takes at most 90 s; a lease of 20 s and beat's rounds make 30.
PICK_UP_SECONDS = 90
PATIENCE_SECONDS = 120


@dataclass
class Chaos:
    """A running instance whose rows are read by SQL, so that a dead web server tells no lies."""

    up: Up

    def patiently(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """The same, though PostgreSQL may be down just now."""
        deadline = time.monotonic() + 120
        while True:
            try:
                return self.up.query(sql, *values)
            except psycopg.OperationalError:
                assert time.monotonic() < deadline
                time.sleep(0.2)

    def until(self, sql: str, *values: object, seconds: float = PATIENCE_SECONDS) -> None:
        deadline = time.monotonic() + seconds
        while self.patiently(sql, *values) != [(True,)]:
            assert time.monotonic() < deadline, (sql, values, self.left())
            time.sleep(0.1)

    def left(self) -> list[tuple[Any, ...]]:
        return self.patiently(
            "SELECT site_name, status, attempts, error_message, waits::text FROM sites_operation"
            " WHERE status NOT IN ('success', 'inactive')"
        )

    def processes(self, *words: str) -> list[psutil.Process]:
        """Those whose command line has all the words, parents first."""
        found = []
        for process in psutil.Process(self.up.process.pid).children(recursive=True):
            try:
                line = " ".join(process.cmdline())
            except (psutil.NoSuchProcess, psutil.ZombieProcess):
                continue
            if all(word in line for word in words):
                found.append(process)
        return found

    def workers(self) -> list[psutil.Process]:
        return self.processes("celery", "worker")


def kill_one_child(chaos: Chaos) -> None:
    chaos.workers()[-1].kill()


def kill_the_worker(chaos: Chaos) -> None:
    for process in chaos.workers():
        process.kill()


def kill_redis(chaos: Chaos) -> None:
    chaos.processes("redis-server")[0].kill()


def stop_postgres_at_once(chaos: Chaos) -> None:
    """``pg_ctl stop -m immediate``: no shutdown, recovery at the next start."""
    (data,) = chaos.up.query("SHOW data_directory")
    # Its own processes end with it.
    for process in chaos.processes("postgres", "-D", str(data[0])):
        with suppress(psutil.NoSuchProcess):
            if "-D" in process.cmdline():
                process.send_signal(signal.SIGQUIT)


VICTIMS: list[Callable[[Chaos], None]] = [
    kill_one_child,
    kill_the_worker,
    kill_redis,
    stop_postgres_at_once,
]
# The victims of each site: one after the other by themselves, or in pairs.
SITES = [[kill] for kill in VICTIMS] if IS_WHOLE else [VICTIMS[0::2], VICTIMS[1::2]]


@pytest.fixture(scope="module")
def chaos(up: Up) -> Chaos:
    """The instance of all: whoever comes later finds what was killed at work again."""
    return Chaos(up)


@pytest.fixture
def tell(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """A line for whoever runs the whole of it."""
    writer = request.config.get_terminal_writer()
    return lambda line: writer.line(f"\n{line}") if IS_WHOLE else None


@pytest.mark.parametrize("round_", range(ROUNDS))
def test_what_was_accepted_ends_whatever_is_killed(
    chaos: Chaos, round_: int, tell: Callable[[str], None]
):
    """All sites are under way at once; each victim dies in the middle of its own."""
    names = [f"{kill.__name__.replace('_', '-')}-{round_}" for kill, *_ in SITES]
    for name in names:
        chaos.up.manage("create_site", name, "--no-counter")
    for name, victims in zip(names, SITES, strict=True):
        chaos.up.manage("provision_site", name)
        chaos.until(
            "SELECT count(*) > 0 FROM sites_resource r JOIN sites_site s ON s.id = r.site_id"
            " WHERE s.name = %s",
            name,
        )
        held = chaos.up.query("SELECT id, fence FROM sites_operation WHERE status = 'in_progress'")
        for kill in victims:
            kill(chaos)
        killed = time.monotonic()
        for pk, fence in held if IS_WHOLE else ():
            chaos.until(
                "SELECT fence > %s OR finished_at IS NOT NULL FROM sites_operation WHERE id = %s",
                fence,
                pk,
                seconds=PICK_UP_SECONDS,
            )
        tell(f"{name}: all picked up after {time.monotonic() - killed:.1f} s")
    chaos.until(
        "SELECT bool_and(status = 'success') FROM sites_operation WHERE site_name = ANY(%s)", names
    )
    states = chaos.up.query("SELECT state FROM sites_site WHERE name = ANY(%s)", names)
    assert states == [("live",)] * len(names)


@contextmanager
def frozen(processes: list[psutil.Process]) -> Iterator[None]:
    for process in processes:
        process.suspend()
    try:
        yield
    finally:
        for process in processes:
            process.resume()


def test_a_queue_that_is_lost_loses_nothing(chaos: Chaos):
    """200 operations whose messages are gone: the rows are the truth, Redis only wakes."""
    with frozen(chaos.workers()):
        chaos.up.query(
            "INSERT INTO sites_site (uid, account_id, name, state, has_counter, counter_slots,"
            " injects_snippet, visitors_token, is_spa, price_class, headers, trailing_slash,"
            " created_at)"
            " SELECT gen_random_uuid(), (SELECT min(id) FROM sites_account), 'lost-' || n,"
            " 'destroying', false, 1, false, '', false, 'PriceClass_100', 'standard', 'auto', now()"
            " FROM generate_series(1, 200) n RETURNING id"
        )
        accepted = chaos.up.query(
            "INSERT INTO sites_operation (site_id, site_name, kind, status, force, plan_checksum,"
            " plan, targets, waits, error_message, created_at, fence, attempts, by_hand, chosen)"
            " SELECT id, name, 'destroy', 'queued', '[]', '', '{}', '[]', '[]', '', now(), 0, 0,"
            " false, ''"
            " FROM sites_site WHERE name LIKE 'lost-%%' RETURNING id"
        )
        broker = Celery(broker=chaos.up.run["redis_url"], set_as_current=False)
        for (pk,) in accepted:
            broker.send_task("sites.run_operation", (pk,))
        with redis.Redis.from_url(chaos.up.run["redis_url"]) as client:
            assert client.llen("celery") >= 190  # some are with the worker already
            client.flushall()
        broker.close()

    chaos.until(
        "SELECT count(*) = 200 FROM sites_operation"
        " WHERE site_name LIKE 'lost-%%' AND status = 'success'"
    )
    assert chaos.up.query("SELECT count(*) FROM sites_site WHERE name LIKE 'lost-%%'") == [(0,)]


def test_sites_made_at_once_under_throttling_all_come_up_in_turn(
    chaos: Chaos, tell: Callable[[str], None]
):
    """Twenty sites, 30 % of all calls throttled, AWS's rates kept to; in the gate two, and 10 %."""
    count, probability = (20, 0.3) if IS_WHOLE else (2, 0.1)
    local_cloud = f"{chaos.up.run['aws_endpoint']}/_localcloud"
    fault = {"operation": "*", "kind": "throttle", "probability": probability, "seed": 7}
    names = [f"many-{n}" for n in range(count)]
    for name in names:
        chaos.up.manage("create_site", name, "--no-counter")
    http.delete(f"{local_cloud}/calls")
    assert http.post(f"{local_cloud}/faults", json=fault).status_code == 200
    began = time.monotonic()
    try:
        for name in names:
            provision_patiently(chaos, name)
        chaos.until(
            "SELECT count(*) = %s FROM sites_operation"
            " WHERE site_name LIKE 'many-%%' AND status = 'success'",
            count,
            seconds=60 * count,
        )
    finally:
        http.delete(f"{local_cloud}/faults")
    seconds = time.monotonic() - began
    order = chaos.up.query(
        "SELECT site_name, extract(epoch FROM finished_at - created_at)::int FROM sites_operation"
        " WHERE site_name LIKE 'many-%%' ORDER BY finished_at"
    )
    tell(f"{count} sites in {seconds:.0f} s, in the order in which they ended (seconds each took):")
    tell(" ".join(f"{name.removeprefix('many-')} ({taken})" for name, taken in order))
    states = chaos.up.query("SELECT DISTINCT state FROM sites_site WHERE name LIKE 'many-%%'")
    assert states == [("live",)]
    assert_paced(http.get(f"{local_cloud}/calls").json(), share=PACE)
    # Nobody is overtaken by all who came after.
    places = {name: place for place, (name, _) in enumerate(order)}
    assert all(abs(places[name] - n) <= max(2, count / 2) for n, name in enumerate(names))


def provision_patiently(chaos: Chaos, name: str) -> None:
    """The command shows its plan first, and may be told to come again."""
    for _ in range(5):
        done = chaos.up.run_command("provision_site", name)
        if done.returncode != TRY_AGAIN_LATER:
            break
    assert done.returncode == 0, done.stderr


def assert_paced(calls: list[dict[str, Any]], *, share: float) -> None:
    """No more calls in any three seconds than the share of AWS's rate; a busy machine, where a call
    arrives late, blurs it by one."""
    for service, rate in RATES.items():
        moments = [call["at"] for call in calls if call["operation"].startswith(f"{service}.")]
        most = 3 * int(rate * share)
        for earlier, later in zip(moments, moments[most + 1 :], strict=False):
            assert later - earlier > 2, service
