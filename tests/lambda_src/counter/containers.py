"""What the counter runs in: Lambda's environment, a database, any number of containers."""

from __future__ import annotations

import importlib
import os
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import psycopg
import pytest

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
COUNTER = Path(__file__).parents[3] / "lambda_src" / "counter"
MODULES = ("handler", "actions", "badge", "database", "hit", "later", "left_out")


def container(name: str = "handler") -> ModuleType:
    """The function's module as one more container has it: own modules, own connection."""
    hidden = {name: sys.modules.pop(name, None) for name in MODULES}
    sys.path.insert(0, str(COUNTER))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(COUNTER))
        for name, module in hidden.items():
            sys.modules.pop(name, None)
            if module is not None:
                sys.modules[name] = module


def request(
    path: str = "/_cloudadmin/count",
    *,
    query: str = "",
    method: str = "GET",
    address: str = "198.51.100.10:46532",
    agent: str = "Mozilla/5.0",
    **headers: str,
) -> dict[str, Any]:
    """A function URL event, version 2.0; ``sec_gpc="1"`` is the header ``sec-gpc``."""
    return {
        "version": "2.0",
        "rawPath": path,
        "rawQueryString": query,
        "headers": {
            "user-agent": agent,
            "cloudfront-viewer-address": address,
            **{name.replace("_", "-"): value for name, value in headers.items()},
        },
        "requestContext": {"http": {"method": method, "path": path, "sourceIp": "127.0.0.1"}},
    }


class Told(NamedTuple):
    """What ``counter.count_hit`` answers."""

    pageviews: int
    counted: bool
    reason: str


def count_hit(
    connection: psycopg.Connection,
    site: uuid.UUID | str,
    *,
    client: bytes | None = b"alice",
    address: bytes | None = None,
    hit: uuid.UUID | None = None,
    is_bot: bool = False,
    path: str = "/",
    referrer: str = "",
    country: str = "",
    device: str = "desktop",
    deployment: str = "",
    slots: int = 1,
    left_out: dict[str, int] | None = None,
    now: datetime = NOON,
) -> Told:
    """One call of the SQL function, at a time of its own; each client at an address of its own."""
    told = None if left_out is None else ([*left_out], [*left_out.values()])
    address = address or (client and b"at " + client)
    asked = [
        *(site, path, client, address, hit or hit_id(now), is_bot),
        *(referrer, country, device, deployment, slots, *(told or (None, None)), now),
    ]
    row = connection.execute(
        "SELECT * FROM counter.count_hit(" + ", ".join(["%s"] * len(asked)) + ")", asked
    ).fetchone()
    assert row
    return Told(*row)


def hit_id(at: datetime) -> uuid.UUID:
    """A UUIDv7, as the snippet makes it."""
    return uuid.UUID(f"{int(at.timestamp() * 1000):012x}7{uuid.uuid4().hex[13:]}")


def hit_query(age: float = 0) -> str:
    """The query of a hit that a page made so many seconds ago."""
    return f"h={hit_id(datetime.now(UTC) - timedelta(seconds=age))}"


def sums(connection: psycopg.Connection, site: uuid.UUID | str) -> dict[tuple[int, str], list[int]]:
    """``(kind, value)``: pageviews, visits, visitors, bots, of all hours and slots."""
    rows = connection.execute(
        """SELECT kind, value, sum(pageviews), sum(visits), sum(visitors), sum(bots)
        FROM counter.count WHERE site = %s GROUP BY kind, value""",
        [site],
    ).fetchall()
    return {(kind, value): [int(number) for number in numbers] for kind, value, *numbers in rows}


def lambda_environment(counter_url: str, site_uid: str) -> dict[str, str]:
    url = urlsplit(counter_url)
    return {
        "SITE_UID": site_uid,
        "DATABASE_HOST": url.hostname or "",
        "DATABASE_PORT": str(url.port),
        "DATABASE_NAME": url.path.lstrip("/"),
        "DATABASE_USER": url.username or "",
        "DATABASE_AUTH": "iam",
        "DATABASE_TLS": "disable",
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
    }


@contextmanager
def migrated_database() -> Iterator[str]:
    """A new database in the tests' PostgreSQL, migrated by the function itself."""
    name = f"counter_{uuid.uuid4().hex[:8]}"
    server = urlsplit(os.environ["DATABASE_URL"])
    with psycopg.connect(server.geturl(), autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
        url = server._replace(path=f"/{name}").geturl()
        with pytest.MonkeyPatch.context() as patch:
            for key, value in lambda_environment(url, str(uuid.uuid4())).items():
                patch.setenv(key, value)
            container().handler({"action": "migrate"}, None)
        yield url
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture(scope="session")
def counter_url() -> Iterator[str]:
    with migrated_database() as url:
        yield url


@pytest.fixture
def environment(counter_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Lambda's environment for a new site, whose uid it is."""
    uid = str(uuid.uuid4())
    for name, value in lambda_environment(counter_url, uid).items():
        monkeypatch.setenv(name, value)
    return uid


@pytest.fixture
def counter(environment: str) -> Iterator[ModuleType]:
    """One container."""
    module = container()
    yield module
    module.counter.close()


@pytest.fixture
def connection(counter_url: str, environment: str) -> Iterator[psycopg.Connection]:
    """The counter database as its administrator sees it."""
    with psycopg.connect(counter_url, autocommit=True) as connection:
        yield connection
