"""Statistics of many sites, by ``statistics_rows`` in a process and databases of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import psycopg

from tests.bench.table import Row
from tests.e2e.conftest import ROOT, Up, clean_environment


def measure(up: Up) -> list[Row]:
    """``SITES=1000 make bench`` is a look at fewer of them; the goals are for 10,000."""
    with _database(up, "bench_statistics") as own, _database(up, "bench_counter") as counter:
        answer = subprocess.run(
            [sys.executable, "-m", "tests.bench.statistics_rows", counter],
            cwd=ROOT,
            env=clean_environment(up.data_dir)
            | {"DATABASE_URL": own, "DJANGO_SETTINGS_MODULE": "cloudadmin.settings"},
            stdout=subprocess.PIPE,
            check=True,
        )
    return [Row(*cells) for cells in json.loads(answer.stdout)]


@contextmanager
def _database(up: Up, name: str) -> Iterator[str]:
    """The URL of a new database beside the instance's own."""
    server = urlsplit(up.run["database_url"])
    with psycopg.connect(server.geturl(), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        try:
            yield server._replace(path=f"/{name}").geturl()
        finally:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
