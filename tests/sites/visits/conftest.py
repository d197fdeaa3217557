from __future__ import annotations

import io
import json
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.db.models import Sum

from sites.models import Account, Kind, OverallDay, Site, VisitCount, VisitDay
from sites.visits.readers import CounterDatabase, Direct, Invoked
from tests.lambda_src.counter.containers import (
    connection,
    container,
    counter_url,
    environment,
    lambda_environment,
)

__all__ = ["connection", "counter_url", "environment"]

SUMS = ("pageviews", "visits", "visitors", "bots")
# Yesterday: hours of it are kept, and its visitors are not those of a test that runs at midnight.
NOON = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=1)


def direct(url: str) -> Direct:
    parts = urlsplit(url)
    return Direct(
        CounterDatabase(
            host=parts.hostname or "",
            port=parts.port or 0,
            name=parts.path.lstrip("/"),
            user=parts.username or "",
            password="",
            tls="disable",
        )
    )


class Functions:
    """Lambda, with the counter's own code behind every name; it may be told what to answer.

    Its database is that of ``url``, or of the environment.
    """

    def __init__(
        self, answer: Any = None, error: Exception | None = None, url: str | None = None
    ) -> None:
        self.answer, self.error, self.url = answer, error, url
        self.asked: list[dict[str, Any]] = []

    def invoke(self, *, FunctionName: str, Payload: bytes) -> dict[str, Any]:
        if self.error:
            raise self.error
        self.asked.append(json.loads(Payload))
        if self.answer is not None:
            return {"Payload": io.BytesIO(self.answer)}
        try:
            with pytest.MonkeyPatch.context() as patch:
                if self.url:
                    for name, value in lambda_environment(self.url, str(uuid.uuid4())).items():
                        patch.setenv(name, value)
                answer = container().handler(self.asked[-1], None)
        except Exception as error:
            said = json.dumps({"errorMessage": str(error)}).encode()
            return {"Payload": io.BytesIO(said), "FunctionError": "Unhandled"}
        return {"Payload": io.BytesIO(json.dumps(answer).encode())}


def invoked(functions: Any, limit: int = 1000) -> Invoked:
    return Invoked(functions, "counter", limit)


def hit(connection, site, *, path="/", client=None, is_bot=False, now=NOON, device="desktop"):
    """One hit, as the function counts it."""
    client = client or uuid.uuid4().bytes
    connection.execute(
        "SELECT counter.count_hit(%s, %s, %s, %s, %s, %s, '', 'DE', %s, '7', 1, NULL, NULL, %s)",
        [site.uid, path, client, b"at " + client, uuid.uuid4(), is_bot, device, now],
    )


def source(connection, *sites) -> dict[tuple, tuple[int, ...]]:
    """What the counter database tells about these sites, by site, day, kind and value."""
    rows = connection.execute(
        """
        SELECT site, (hour AT TIME ZONE 'UTC')::date, kind, value, sum(pageviews)::bigint,
            sum(visits)::bigint, sum(visitors)::bigint, sum(bots)::bigint
        FROM counter.count WHERE site = ANY (%s) AND kind <> 6 GROUP BY 1, 2, 3, 4
        """,
        [[site.uid for site in sites]],
    ).fetchall()
    return {row[:4]: row[4:] for row in rows}


def total(*sites) -> int:
    rows = VisitDay.objects.filter(site__in=sites, kind=Kind.ALL)
    return sum(rows.values_list("pageviews", flat=True))


def days(*sites) -> dict[tuple, tuple[int, ...]]:
    """The same of what was pulled."""
    rows = VisitDay.objects.filter(site__in=sites)
    return {
        row[:4]: row[4:]
        for row in rows.values_list("site__uid", "day", "kind", "value", *SUMS)
        if any(row[4:])
    }


def hours_by_day(*sites) -> dict[tuple, tuple[int, ...]]:
    """What the days have to be, taken from the hours."""
    found: dict[tuple, tuple[int, ...]] = {}
    for row in VisitCount.objects.filter(site__in=sites).exclude(kind=Kind.MINUTE):
        key = (row.site.uid, row.hour.date(), row.kind, row.value)
        sums = found.get(key, (0, 0, 0, 0))
        found[key] = tuple(a + getattr(row, name) for a, name in zip(sums, SUMS, strict=True))
    return {key: sums for key, sums in found.items() if any(sums)}


def overall() -> tuple[dict, dict]:
    """The days of all sites together, and what they have to be."""
    kept = OverallDay.objects.values_list("kind", "day", "value", *SUMS)
    rows = VisitDay.objects.filter(kind__in=OverallDay.KINDS)
    summed = rows.values_list("kind", "day", "value").annotate(*map(Sum, SUMS))
    one, other = ({row[:3]: row[3:] for row in found if any(row[3:])} for found in (kept, summed))
    return one, other


@pytest.fixture
def reader(counter_url) -> Direct:
    return direct(counter_url)


@pytest.fixture
def account(db):
    return Account.objects.create(name="agency", aws_account_id="123456789012")


@pytest.fixture
def site(account):
    return Site.objects.create(name="shop", account=account)
