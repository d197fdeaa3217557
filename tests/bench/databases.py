"""A database for a part of the bench alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import psycopg

from tests.e2e.conftest import Up


@contextmanager
def database(up: Up, name: str) -> Iterator[str]:
    """The URL of a new database beside the instance's own."""
    server = urlsplit(up.run["database_url"])
    with psycopg.connect(server.geturl(), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        try:
            yield server._replace(path=f"/{name}").geturl()
        finally:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
