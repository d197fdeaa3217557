"""Fixtures of the counter's tests."""

from __future__ import annotations

import re
import uuid

import psycopg
import pytest

from tests.lambda_src.counter.containers import connection, counter, counter_url, environment

__all__ = ["connection", "counter", "counter_url", "environment"]


@pytest.fixture
def empty_database(environment, counter_url, connection, monkeypatch):
    """The connection's URL."""
    name = f"empty_{uuid.uuid4().hex[:8]}"
    connection.execute(f'CREATE DATABASE "{name}"')
    monkeypatch.setenv("DATABASE_NAME", name)
    yield re.sub("[^/]+$", name, counter_url)
    connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture
def fresh(counter, empty_database):
    """A migrated database of its own: the answer is of all sites."""
    counter.handler({"action": "migrate"}, None)
    with psycopg.connect(empty_database, autocommit=True) as connection:
        yield connection
