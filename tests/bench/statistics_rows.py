"""A sync of one changed hour and the pages of statistics, with 10,000 sites and 10 million rows."""

from __future__ import annotations

import json
import os
import sys
import time
import uuid
from collections.abc import Callable
from dataclasses import astuple
from datetime import UTC, date, datetime, timedelta
from statistics import median
from typing import Any

import django
import psycopg
import pytest

django.setup()

from django.contrib.auth.models import User  # noqa: E402  settings first
from django.core.management import call_command  # noqa: E402
from django.db import connection  # noqa: E402
from django.test import Client  # noqa: E402
from django.urls import reverse  # noqa: E402

from sites.models import Account, Site  # noqa: E402
from sites.visits import partitions  # noqa: E402
from sites.visits.pull import pull  # noqa: E402
from tests.bench.table import Row  # noqa: E402
from tests.lambda_src.counter.containers import container, lambda_environment  # noqa: E402
from tests.sites.visits.conftest import direct  # noqa: E402

SITES = int(os.environ.get("SITES", "10000"))
DAYS = 100
HOURS = 4
REPEATS = 5
NOW = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
# One site has as many pages as a site with an archive.
PAGES_OF_THE_LARGEST = 2000

# A day of a site: the whole, 3 pages, 2 referrers, 2 countries, a device, a deployment.
DAYS_OF_SITES = """
    INSERT INTO sites_visitday (site_id, kind, day, value, pageviews, visits, visitors, bots)
    SELECT s.id, k.kind, d.day, k.value, 10 + s.id %% 90, 5, 4, 1
    FROM generate_series(%(first)s::date, %(last)s::date, interval '1 day') AS d (day),
        sites_site s,
        (VALUES (7, ''), (1, '/'), (1, '/about'), (1, '/prices'), (2, ''), (2, 'example.org'),
            (3, 'DE'), (3, 'FR'), (4, 'desktop'), (5, '7')) AS k (kind, value)
"""
PAGES = """
    INSERT INTO sites_visitday (site_id, kind, day, value, pageviews, visits, visitors, bots)
    SELECT %(site)s, 1, d.day, '/archive/' || n, n %% 50, 1, 1, 0
    FROM generate_series(%(first)s::date, %(last)s::date, interval '1 day') AS d (day),
        generate_series(1, %(pages)s) n
"""
# What the triggers would have written. Keys have the room that they have when days come day by day.
OVERALL = """
    INSERT INTO sites_overallday (kind, day, value, pageviews, visits, visitors, bots)
    SELECT kind, day, value, sum(pageviews), sum(visits), sum(visitors), sum(bots)
    FROM sites_visitday WHERE kind IN (0, 2, 3, 4, 7) GROUP BY kind, day, value
"""
WITHOUT_KEY = "ALTER TABLE sites_visitday DROP CONSTRAINT sites_visitday_pkey"
WITH_KEY = """
    ALTER TABLE sites_visitday ADD CONSTRAINT sites_visitday_pkey
    PRIMARY KEY (site_id, day, kind, value) WITH (fillfactor = 70)
"""
# An hour of a site in the counter database: eight rows.
COUNTS = """
    INSERT INTO counter.count (site, hour, kind, value, slot, pageviews, visits, visitors, bots)
    SELECT s.uid, h.hour, k.kind, k.value, 0, 10, 5, 4, 1
    FROM unnest(%s::uuid[]) AS s (uid),
        generate_series(%s::timestamptz, %s::timestamptz, interval '1 hour') AS h (hour),
        (VALUES (7, ''), (1, '/'), (1, '/about'), (2, ''), (3, 'DE'), (4, 'desktop'), (5, '7'),
            (6, '30')) AS k (kind, value)
"""
NEW_HOUR = """
    INSERT INTO counter.count (site, hour, kind, value, slot, pageviews, visits, visitors, bots)
    SELECT site, hour + interval '1 hour', kind, value, slot, 10, 5, 4, 1
    FROM counter.count WHERE hour = (SELECT max(hour) FROM counter.count)
"""
ANOTHER_HIT = """
    UPDATE counter.count SET pageviews = pageviews + 1, changed = pg_current_xact_id()
    WHERE hour = (SELECT max(hour) FROM counter.count)
"""


def measure(counter: str) -> list[Row]:
    call_command("migrate", verbosity=0)
    account = Account.objects.create(name="bench", aws_account_id="123456789012")
    sites = Site.objects.bulk_create(
        Site(name=f"site-{number}", account=account, state=Site.State.LIVE)
        for number in range(SITES)
    )
    rows = _fill(sites)
    return [*_sync(account, sites, counter), *_pages(sites[0], rows)]


def _fill(sites: list[Site]) -> int:
    """The days before today, as so many syncs would have left them; how many rows."""
    values: dict[str, int | date] = {
        "first": NOW.date() - timedelta(days=DAYS),
        "last": NOW.date() - timedelta(days=1),
        "site": sites[0].pk,
        "pages": PAGES_OF_THE_LARGEST,
    }
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")  # nothing is checked row by row
        cursor.execute("SET maintenance_work_mem = '512MB'")
        cursor.execute(WITHOUT_KEY)
        cursor.execute(DAYS_OF_SITES, values)
        cursor.execute(PAGES, values)
        cursor.execute(WITH_KEY)
        cursor.execute(OVERALL)
        cursor.execute("RESET session_replication_role")
        cursor.execute("RESET maintenance_work_mem")
        cursor.execute("VACUUM ANALYZE")
        cursor.execute("SELECT count(*) FROM sites_visitday")
        [count] = cursor.fetchone()
    return int(count)


def _sync(account: Account, sites: list[Site], url: str) -> list[Row]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in lambda_environment(url, str(uuid.uuid4())).items():
            patch.setenv(name, value)
        container().handler({"action": "migrate"}, None)
    first, last = NOW - timedelta(hours=HOURS + REPEATS), NOW - timedelta(hours=REPEATS + 1)
    partitions.ensure([first.date(), NOW.date()])
    with psycopg.connect(url, autocommit=True) as own:
        own.execute(COUNTS, [[site.uid for site in sites], first, last])
        own.execute("VACUUM ANALYZE")
        started = time.perf_counter()
        whole = pull(account, [direct(url)])
        all_seconds = time.perf_counter() - started

        def taken(change: str) -> float:
            own.execute(change)
            started = time.perf_counter()
            pulled = pull(account, [direct(url)])
            seconds = time.perf_counter() - started
            if pulled.rows < 8 * SITES:  # more, where others held the position back
                raise AssertionError(f"{pulled.rows} rows were read: {pulled.error}")
            return seconds

        taken(ANOTHER_HIT)  # and the position is behind what came at first
        changed = [taken(ANOTHER_HIT) for _ in range(REPEATS)]
        new = [taken(NEW_HOUR) for _ in range(REPEATS)]
    return [
        _of_an_hour("changed", changed),
        _of_an_hour("new", new),
        Row(f"the first sync, {HOURS} hours", f"{all_seconds:.2f} s", note=f"{whole.rows:,} rows"),
    ]


def _of_an_hour(what: str, taken: list[float]) -> Row:
    return Row(
        f"sync of one {what} hour of {SITES:,} sites",
        f"{median(taken):.2f} s",
        note=f"{8 * SITES:,} rows, {min(taken):.2f} to {max(taken):.2f} s; goal 2 s",
    )


def _pages(site: Site, rows: int) -> list[Row]:
    """Server time and queries, as a person opens them who has them open every morning."""
    client = Client(headers={"host": "localhost"})
    client.force_login(User.objects.create_superuser("bench"))
    one, many = (
        reverse("admin:sites_site_visitors", args=[site.pk]),
        reverse("admin:sites_visitors"),
    )
    addresses = {
        "dashboard": reverse("admin:index"),
        "statistics of a site, 30 days": one,
        "statistics of a site, 12 months": f"{one}?range=12m",
        "statistics of a site, 24 hours": f"{one}?range=24h",
        "after it: breakdowns of a site, 30 days": f"{one}?part=1",
        "statistics of all sites, 30 days": many,
        "statistics of all sites, 12 months": f"{many}?range=12m",
        "after it: sites and breakdowns, 30 days": f"{many}?part=1",
    }
    return [_page(client, what, address, rows) for what, address in addresses.items()]


def _page(client: Client, what: str, address: str, rows: int) -> Row:
    def ask() -> None:
        answer = client.get(address)
        if answer.status_code != 200:
            raise AssertionError(f"{address}: {answer.status_code}")

    queries = 0

    def count(execute: Any, *call: Any) -> Any:
        nonlocal queries
        queries += 1
        return execute(*call)

    with connection.execute_wrapper(count):
        ask()
    taken = _seconds(ask)
    return Row(
        f"{what}; {rows / 1e6:.0f} million rows",
        f"{taken * 1000:.0f} ms",
        note=f"{queries} queries; goal 100 ms",
    )


def _seconds(action: Callable[[], None]) -> float:
    samples = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        action()
        samples.append(time.perf_counter() - started)
    return median(samples)


def main() -> None:
    json.dump([astuple(row) for row in measure(sys.argv[1])], sys.stdout)


if __name__ == "__main__":
    main()
