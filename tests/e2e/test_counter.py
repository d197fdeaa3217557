"""The counter in the way a visitor meets it: through the edge, in the function, in RDS."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from cloudadmin.aws import Access, Clients
from tests.e2e.conftest import Up

COUNT = "/_cloudadmin/count"


@pytest.fixture(scope="module")
def host(up: Up) -> str:
    return up.live_site("counted")


def number_in_rds(up: Up) -> int:
    """What RDS holds for the site, asked with the address that AWS describes."""
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
            "SELECT coalesce(sum(pageviews), 0) FROM counter.page WHERE site = %s", [site_uid(up)]
        ).fetchone()
    assert row
    return int(row[0])


def site_uid(up: Up) -> str:
    (function,) = (
        resource
        for resource in up.status("counted")["resources"]
        if resource["type"] == "lambda_function"
    )
    lambda_ = Clients(Access("us-east-1", endpoint_url=up.run["aws_endpoint"])).lambda_
    configuration = lambda_.get_function_configuration(FunctionName=function["physical_id"])
    return configuration["Environment"]["Variables"]["SITE_UID"]


def test_500_visitors_at_once_are_500(up: Up, host: str):
    before = number_in_rds(up)

    def visit(number: int) -> int:
        with up.visitor(host) as visitor:
            response = visitor.get(COUNT, headers={"User-Agent": f"Mozilla/5.0 visitor {number}"})
            assert response.status_code == 200, response.text
            visits: int = response.json()["visits"]
            return visits

    with ThreadPoolExecutor(16) as pool:
        shown = list(pool.map(visit, range(500)))

    assert number_in_rds(up) == before + 500
    assert len(set(shown)) == 500, "every visitor has a number of their own"

    up.manage("sync_visits")
    once = up.status("counted")["visits"]
    up.manage("sync_visits")
    assert up.status("counted")["visits"] == once == before + 500


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
