"""What the counter runs in: Lambda's environment, a database, any number of containers."""

from __future__ import annotations

import importlib
import os
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest

COUNTER = Path(__file__).parents[3] / "lambda_src" / "counter"
MODULES = ("handler", "database")


def container() -> ModuleType:
    """The handler as one more container has it: own modules, own connection."""
    hidden = {name: sys.modules.pop(name, None) for name in MODULES}
    sys.path.insert(0, str(COUNTER))
    try:
        return importlib.import_module("handler")
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
