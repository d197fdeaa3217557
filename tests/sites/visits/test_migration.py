"""What was pulled before there were kinds and hours stays counted."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

ROOT = Path(__file__).parents[3]
ROWS = """
    INSERT INTO sites_account (id, uid, name, aws_account_id, region, role_arn, external_id,
        created_at)
    VALUES (1, gen_random_uuid(), 'agency', '123456789012', 'us-east-1', '', gen_random_uuid(),
        now());
    INSERT INTO sites_site (id, uid, account_id, name, state, has_counter, is_spa, price_class,
        headers, trailing_slash, created_at)
    VALUES (1, gen_random_uuid(), 1, 'shop', 'live', true, false, 'PriceClass_100', 'standard',
        'auto', now());
    INSERT INTO sites_visitcount (site_id, date, path, pageviews, visits, bots)
    SELECT 1, (now() AT TIME ZONE 'UTC')::date - ago, '/' || n, 10 * n, n, 1
    FROM generate_series(0, 400) ago, generate_series(1, 3) n;
    INSERT INTO sites_visitcursor (account_id, epoch, position, error_message)
    VALUES (1, gen_random_uuid(), 42, '');
"""
DAYS = """
    SELECT kind, count(*), sum(pageviews), sum(visits), sum(visitors), sum(bots)
    FROM sites_visitday GROUP BY kind ORDER BY kind
"""
HOURS_BUT_NOT_DAYS = """
    SELECT count(*), count(*) FILTER (WHERE d.pageviews IS DISTINCT FROM c.pageviews),
        min(c.hour) <= date_trunc('day', now(), 'UTC') - interval '90 days'
    FROM sites_visitcount c LEFT JOIN sites_visitday d
        ON (d.site_id, d.kind, d.value) = (c.site_id, c.kind, c.value)
        AND d.day = (c.hour AT TIME ZONE 'UTC')::date
"""


@pytest.fixture
def url():
    """A database of its own."""
    name = f"migrated_{uuid.uuid4().hex[:8]}"
    server = urlsplit(os.environ["DATABASE_URL"])
    with psycopg.connect(server.geturl(), autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
        yield server._replace(path=f"/{name}").geturl()
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def migrate(url: str, *target: str) -> None:
    environment = {**os.environ, "DATABASE_URL": url}
    environment["DJANGO_SETTINGS_MODULE"] = "cloudadmin.settings"
    command = [sys.executable, "manage.py", "migrate", "--verbosity=0", *target]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_days_and_hours_come_from_the_rows_by_path(url):
    migrate(url, "sites", "0005")
    with psycopg.connect(url) as connection:
        connection.execute(ROWS)
    migrate(url, "sites")

    with psycopg.connect(url) as connection:
        assert connection.execute(DAYS).fetchall() == [
            (1, 3 * 401, 60 * 401, 6 * 401, 6 * 401, 3 * 401),
            (7, 401, 60 * 401, 6 * 401, 6 * 401, 3 * 401),
        ]
        hours = connection.execute(HOURS_BUT_NOT_DAYS).fetchone()
        assert hours is not None
        assert hours[0] >= 4 * 90
        assert hours[1:] == (0, True)
        overall = "SELECT kind, sum(pageviews) FROM sites_overallday GROUP BY kind"
        assert connection.execute(overall).fetchall() == [(7, 60 * 401)]
        cursor = "SELECT epoch_numbers = jsonb_build_object(epoch, 0) FROM sites_visitcursor"
        assert connection.execute(cursor).fetchone() == (True,)
