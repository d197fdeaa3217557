"""The counter in the way a visitor meets it: through the edge, in the function, in RDS."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from cloudadmin.aws import Access, Clients
from tests.e2e.conftest import Up

COUNT = "/_cloudadmin/count"


@pytest.fixture
def host(up: Up) -> str:
    return up.host("demo")


def number_in_rds(up: Up) -> int:
    """What RDS holds for the site, asked with the address that AWS describes."""
    ((uid,),) = up.query("SELECT uid FROM sites_site WHERE name = 'demo'")
    rds = Clients(Access("us-east-1", endpoint_url=up.run["aws_endpoint"])).rds
    (instance,) = rds.describe_db_instances()["DBInstances"]
    endpoint = instance["Endpoint"]
    with psycopg.connect(
        host=endpoint["Address"],
        port=endpoint["Port"],
        dbname=instance["DBName"],
        user=instance["MasterUsername"],
    ) as connection:
        row = connection.execute(
            "SELECT coalesce(sum(pageviews), 0) FROM counter.total WHERE site = %s", [uid]
        ).fetchone()
    assert row
    return int(row[0])


def test_200_visitors_at_once_are_200(up: Up, host: str):
    before = number_in_rds(up)

    def visit(number: int) -> int:
        response = visitor.get(COUNT, headers={"User-Agent": f"Mozilla/5.0 visitor {number}"})
        assert response.status_code == 200, response.text
        visits: int = response.json()["visits"]
        return visits

    with up.visitor(host) as visitor, ThreadPoolExecutor(16) as pool:
        shown = list(pool.map(visit, range(200)))

    assert number_in_rds(up) == before + 200
    assert len(set(shown)) == 200, "every visitor has a number of their own"

    for _ in range(2):
        up.manage("sync_visits")
    assert up.status("demo")["visits"] == before + 200, "the second pull changed nothing"


def test_a_sixth_request_in_a_minute_is_not_counted_and_still_answered(up: Up, host: str):
    before = number_in_rds(up)
    with up.visitor(host) as visitor:
        answers = [
            visitor.get(COUNT, headers={"User-Agent": "Mozilla/5.0 the same one"}).json()
            for _ in range(6)
        ]

    assert [answer["counted"] for answer in answers] == [True] * 5 + [False]
    assert answers[5]["visits"] == answers[4]["visits"]
    assert number_in_rds(up) == before + 5
