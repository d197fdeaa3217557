"""Sixteen clients, a database that crashes and answers that are lost: every hit counts once.

``COUNTER=whole`` makes it sixteen clients of a thousand hits and ten crashes.
"""

from __future__ import annotations

import json
import os
import random
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Event
from types import ModuleType

import pg8000.native
import psycopg
import pytest

from tests.lambda_src.counter.containers import (
    container,
    hit_query,
    lambda_environment,
    request,
    sums,
)
from tests.lambda_src.counter.server import migrate, running

CLIENTS, HITS, CRASHES = (16, 1000, 10) if os.environ.get("COUNTER") == "whole" else (8, 100, 3)
LOST = 0.02


@dataclass
class Client:
    """Sends each hit until it has an answer, with the id that it had at first."""

    number: int
    module: ModuleType = field(default_factory=container)
    asked: int = 0
    counted: int = 0
    again: int = 0

    def send(self, hits: int, chance: random.Random) -> int:
        for n in range(hits):
            event = request(
                query=hit_query(), address=f"198.{self.number}.{n // 250}.{n % 250}:443"
            )
            while True:
                self.asked += 1
                response = self.module.handler(event, None)
                if response["statusCode"] == 200 and chance.random() > LOST / 2:
                    break
            answer = json.loads(response["body"])
            self.counted += answer["counted"]
            self.again += answer["reason"] == "again"
        self.module.counter.close()
        return hits


@pytest.fixture
def lost_answers(monkeypatch):
    """One in a hundred answers of the database is counted and never arrives."""
    prepared, chance = pg8000.native.PreparedStatement, random.Random(5)
    run = prepared.run

    def lossy(self, **params):
        rows = run(self, **params)
        if chance.random() < LOST / 2:
            raise pg8000.native.InterfaceError("network error")
        return rows

    monkeypatch.setattr(prepared, "run", lossy)


@pytest.mark.usefixtures("lost_answers")
def test_every_hit_is_counted_once(tmp_path, monkeypatch):
    site = str(uuid.uuid4())
    with running(tmp_path) as server:
        for name, value in lambda_environment(server.url, site).items():
            monkeypatch.setenv(name, value)
        migrate()
        clients = [Client(number) for number in range(CLIENTS)]
        with ThreadPoolExecutor(CLIENTS) as pool:
            sent = [pool.submit(c.send, HITS, random.Random(c.number)) for c in clients]
            for crash in range(1, CRASHES + 1):
                # Spread over the whole of it.
                wait_for(clients, CLIENTS * HITS * crash // (CRASHES + 1))
                server.crash()
                server.start()
            distinct = sum(one.result() for one in sent)
        with psycopg.connect(server.url) as connection:
            counted = sums(connection, site)
            total = connection.execute("SELECT sum(pageviews) FROM counter.total").fetchone()

    assert distinct == CLIENTS * HITS
    assert counted[7, ""] == counted[1, "/"] == [distinct, distinct, distinct, 0]
    assert total == (distinct,)
    assert sum(c.counted + c.again for c in clients) == distinct
    assert sum(c.again for c in clients) > 0, "answers were lost"
    assert server.log.count("was interrupted") == CRASHES


def wait_for(clients: list[Client], asked: int) -> None:
    pause = Event()
    while sum(client.asked for client in clients) < asked:
        pause.wait(0.01)
