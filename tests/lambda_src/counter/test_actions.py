"""What the function does when it is invoked directly; the longer ones have files of their own."""

from __future__ import annotations

import json
import uuid
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from tests.lambda_src.counter.containers import (
    count_hit,
    request,
)


def test_an_unknown_action_names_the_known_ones(counter):
    with pytest.raises(ValueError, match="migrate, version, forget, export, prune"):
        counter.handler({"action": "drop"}, None)


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
