"""Workers in step, by a real Redis."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import redis

from cloudadmin import embedded
from sites.access import clients_for
from sites.pace import RATES, Pace
from tests.factories import AccountFactory


@pytest.fixture(scope="module")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    port = embedded.free_port()
    program = embedded.redis(tmp_path_factory.mktemp("redis"), port)
    process = subprocess.Popen(program.command, stdout=subprocess.DEVNULL)
    url = f"redis://127.0.0.1:{port}/0"
    with redis.Redis.from_url(url) as client:
        until_it_answers(client)
        yield url
    process.kill()
    process.wait()


def until_it_answers(client: redis.Redis) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            client.ping()
            return
        except redis.ConnectionError:
            assert time.monotonic() < deadline


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    pauses: list[float] = []
    monkeypatch.setattr("sites.pace.time.sleep", pauses.append)
    return pauses


def test_two_workers_together_keep_to_the_rate(redis_url: str):
    rate = RATES["route53"]
    moments: list[float] = []

    def work(pace: Pace) -> None:
        for _ in range(rate):
            pace("route53")
            moments.append(time.monotonic())

    began = time.monotonic()
    with ThreadPoolExecutor(2) as workers:
        list(workers.map(work, [Pace(redis_url, "one", 1), Pace(redis_url, "one", 1)]))
    moments.sort()
    # Redis counts with its own clock: the two may disagree by a tenth of a second.
    assert moments[rate] - began > 0.9


def test_another_account_and_another_service_have_their_own(redis_url: str, pauses: list[float]):
    for account in ("two", "three"):
        for service in ("route53", "acm", "s3"):
            for _ in range(5):
                Pace(redis_url, account, 1)(service)
    assert not pauses


def test_accounts_of_ours_that_are_one_on_aws_share_a_pace(settings):
    settings.CLOUDADMIN_AWS_PACE = 1
    accounts = AccountFactory.build_batch(2, aws_account_id="123456789012")
    paces = [clients_for(account).pace for account in accounts]
    assert {pace.account for pace in paces if isinstance(pace, Pace)} == {"123456789012"}


def test_without_redis_nothing_waits(pauses: list[float]):
    pace = Pace(f"redis://127.0.0.1:{embedded.free_port()}/0", "four", 1)
    for _ in range(20):
        pace("route53")
    assert not pauses
