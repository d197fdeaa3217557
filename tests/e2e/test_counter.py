"""The counter in the way a visitor meets it: through the edge, in the function, in RDS."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from cloudadmin.aws import Access, Clients
from tests.e2e.conftest import Up

COUNT = "/_cloudadmin/count"
ADDRESS = "X-Localcloud-Viewer-Address"


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
        headers = {"User-Agent": f"Mozilla/5.0 {number}", ADDRESS: f"198.51.100.{number}"}
        response = visitor.get(COUNT, headers=headers)
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


IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15"
    " (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1"
)


def test_the_function_is_told_what_it_counts_and_never_answers_from_a_cache(up: Up, host: str):
    """Country, device, referrer, release, path and address come through the edge; nothing is kept
    there of a hit."""
    query = "?p=%2Fthrough%2F&r=https%3A%2F%2Fnews.example%2Fa&d=77"
    with up.visitor(host) as visitor:
        headers = {"User-Agent": IPHONE, "X-Localcloud-Viewer-Country": "NZ"}
        answers = [
            visitor.get(COUNT + query, headers=headers | {ADDRESS: f"203.0.113.{n}"})
            for n in (1, 1, 1, 1, 1, 1, 2)
        ]
    assert [answer.json()["reason"] for answer in answers] == [*[""] * 5, "limit", ""]
    assert {answer.headers["x-cache"] for answer in answers} == {"Miss from cloudfront"}
    assert {answer.headers["cache-control"] for answer in answers} == {"no-store"}
    up.manage("sync_visits")
    told = up.query(
        "SELECT d.kind, d.value, d.pageviews, d.visitors FROM sites_visitday d"
        " JOIN sites_site s ON s.id = d.site_id WHERE s.name = 'demo'"
    )
    for kind, value in ((1, "/through/"), (2, "news.example"), (3, "NZ"), (4, "mobile"), (5, "77")):
        assert (kind, value, 6, 2) in told


def test_a_badge_has_its_label_and_is_kept_for_seconds(up: Up, host: str):
    with up.visitor(host) as visitor:
        badges = [
            visitor.get(f"/_cloudadmin/visits.svg{query}")
            for query in ("?label=readers", "?v=2&label=readers", "?label=guests", "")
        ]
    labels = ("readers", "readers", "guests", "visits")
    for badge, label in zip(badges, labels, strict=True):
        assert f"<title>{label}: " in badge.text
        assert badge.headers["cache-control"] == "public, max-age=10"
        assert badge.headers["content-type"].startswith("image/svg+xml")
    assert badges[1].headers["x-cache"] == "Hit from cloudfront"
    assert badges[2].headers["x-cache"] == "Miss from cloudfront"


def test_a_number_is_kept_for_seconds(up: Up, host: str):
    with up.visitor(host) as visitor:
        visitor.get("/_cloudadmin/visits.json")
        again = visitor.get("/_cloudadmin/visits.json?whatever=1")
    assert again.headers["x-cache"] == "Hit from cloudfront"
    assert int(again.headers["age"]) < 10
