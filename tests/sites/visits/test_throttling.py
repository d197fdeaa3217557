"""What is said of hits that Lambda turned away."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.cache import caches

from cloudadmin.aws import ClientError
from sites.models import Site
from sites.visits import throttling as module
from sites.visits.throttling import throttling
from tests.factories import ResourceFactory, SiteFactory

pytestmark = pytest.mark.django_db


class FakeCloudWatch:
    def __init__(self) -> None:
        self.sums: list[float] = []
        self.asked: list[dict[str, Any]] = []
        self.error: Exception | None = None

    def get_metric_statistics(self, **asked: Any) -> Any:
        self.asked.append(asked)
        if self.error:
            raise self.error
        return {"Datapoints": [{"Sum": value} for value in self.sums]}


@pytest.fixture
def cloudwatch(monkeypatch) -> FakeCloudWatch:
    caches["process"].clear()
    fake = FakeCloudWatch()
    monkeypatch.setattr(module, "clients_for", lambda account: SimpleNamespace(cloudwatch=fake))
    return fake


def counted(reserved: int | None = None, slots: int = 1) -> Site:
    site: Site = SiteFactory(live=True, name="shop", counter_slots=slots)
    site.resources.filter(logical_id="lambda_function").delete()
    ResourceFactory(
        site=site,
        logical_id="lambda_function",
        type="lambda_function",
        physical_id="cloudadmin-1-counter",
        inputs={"reserved_concurrency": 4 + slots},
        attributes={"reserved": reserved},
    )
    return site


def test_a_site_without_a_counter_asks_nobody(cloudwatch):
    site: Site = SiteFactory()
    assert throttling(site) == ""
    assert not cloudwatch.asked


def test_nothing_turned_away_is_nothing_said(cloudwatch):
    cloudwatch.sums = [0.0, 0.0]
    assert throttling(counted()) == ""
    (asked,) = cloudwatch.asked
    assert asked["EndTime"] - asked["StartTime"] == timedelta(hours=24)
    assert asked["Dimensions"] == [{"Name": "FunctionName", "Value": "cloudadmin-1-counter"}]


@pytest.mark.parametrize(
    ("reserved", "slots", "said"),
    [
        (5, 1, "than the 5 that it answers at once"),
        (5, 1, "change_site shop --counter-slots 2"),
        (13, 9, "change_site shop --counter-slots 16"),
        (20, 16, "16 slots are the most"),
        (5, 8, "than the 5 that it answers at once"),
        (5, 8, "L-B99A9384), then provision"),
        (0, 1, "than the 0 that it answers at once"),
        (None, 1, "than Lambda runs in this account"),
        (None, 1, "L-B99A9384"),
    ],
)
def test_how_many_and_what_to_do(cloudwatch, reserved, slots, said):
    cloudwatch.sums = [1200.0, 34.0]
    told = throttling(counted(reserved, slots))
    assert "1,234 requests" in told
    assert said in told


def test_aws_is_asked_once_for_many_looks(cloudwatch):
    site = counted()
    assert {throttling(site) for _ in range(5)} == {""}
    assert len(cloudwatch.asked) == 1


def test_a_refusal_is_said_and_breaks_nothing(cloudwatch):
    denied: Any = {"Error": {"Code": "AccessDenied", "Message": "no"}}
    cloudwatch.error = ClientError(denied, "GetMetricStatistics")
    assert "iam_policy" in throttling(counted())
