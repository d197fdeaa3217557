"""Pages of the dashboard with 10,000 sites and 1,000,000 deployments, and beside them those of
Django's own admin: without unfold, with its default pages of 100 rows, on the same data.

Each is served by ``pages_rows`` in processes of their own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from statistics import median
from typing import Any

from tests.bench.databases import database
from tests.bench.table import Row, ratio
from tests.e2e.conftest import ROOT, Up, clean_environment

SITES = os.environ.get("SITES", "10000")
OURS, PLAIN = "cloudadmin.settings", "tests.bench.plain_settings"
GOAL = 100.0


def measure(up: Up) -> list[Row]:
    """``SITES=1000 make bench ARGS=pages`` is a look at fewer of them."""
    with database(up, "bench_pages") as url:
        environment = clean_environment(up.data_dir) | {"DATABASE_URL": url}
        count = int(SITES)
        seeding = ["--sites", str(count), "--deployments", str(100 * count), "--yes"]
        for command in (["migrate", "-v", "0"], ["seed_scale", *seeding]):
            said = subprocess.run(
                [sys.executable, "manage.py", *command],
                cwd=ROOT,
                env=environment,
                stdout=subprocess.PIPE,
                text=True,
                check=True,
            ).stdout
        sys.stderr.write(said.strip().splitlines()[-1] + " ")
        ours, plain = _served(environment, OURS), _served(environment, PLAIN)
    return [_row(name, ours[name], plain.get(name)) for name in ours]


def _served(environment: dict[str, str], settings: str) -> dict[str, Any]:
    """By the page: ``ms`` of each of 20, ``queries`` and ``rows``."""
    answer = subprocess.run(
        [sys.executable, "-m", "tests.bench.pages_rows"],
        cwd=ROOT,
        env=environment | {"DJANGO_SETTINGS_MODULE": settings},
        stdout=subprocess.PIPE,
        check=True,
    )
    found: dict[str, Any] = json.loads(answer.stdout)
    return found


def _row(name: str, ours: dict[str, Any], plain: dict[str, Any] | None) -> Row:
    missed = "" if median(ours["ms"]) <= GOAL else f", goal: {GOAL:.0f} ms"
    return Row(
        what=f"{name}, {int(SITES):,} sites",
        ours=_milliseconds(ours),
        beside=f"plain admin: {_milliseconds(plain)}" if plain else "",
        ratio=ratio(ours["ms"], plain["ms"]) if plain else "",
        note=f"{ours['queries']} queries"
        + (f", plain {plain['queries']}" if plain else "")
        + missed,
    )


def _milliseconds(page: dict[str, Any]) -> str:
    samples = page["ms"]
    return f"{median(samples):.0f} ms ({min(samples):.0f} to {max(samples):.0f})"
