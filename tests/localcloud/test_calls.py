"""The log of calls tells when each came and how long it took."""

from __future__ import annotations

import time

import pytest
from botocore.exceptions import ConnectionClosedError

from tests.localcloud import http
from tests.localcloud.conftest import LocalCloud, eventually
from tests.localcloud.world import World


@pytest.fixture
def log(local_cloud: LocalCloud):
    def entries() -> list:
        found: list = http.get(f"{local_cloud.aws_endpoint}/_localcloud/calls").json()
        return found

    http.delete(f"{local_cloud.aws_endpoint}/_localcloud/calls")
    yield entries
    for name in ("faults", "calls"):
        http.delete(f"{local_cloud.aws_endpoint}/_localcloud/{name}")


def delay(cloud: LocalCloud, **more) -> None:
    rule = {"operation": "s3.ListBuckets", "kind": "delay", "seconds": 0.2, **more}
    http.post(f"{cloud.aws_endpoint}/_localcloud/faults", json=rule)


def test_when_and_how_long(local_cloud, log):
    delay(local_cloud, times=1)
    s3 = World(local_cloud.aws_endpoint).s3
    began = time.time()
    for _ in range(2):
        s3.list_buckets()
    first, second = log()
    assert began <= first["at"] <= first["at"] + first["seconds"] <= second["at"] <= time.time()
    assert first["seconds"] >= 0.2 > second["seconds"] > 0


def test_whose_bucket(local_cloud, log):
    s3 = World(local_cloud.aws_endpoint).s3
    s3.create_bucket(Bucket="whose-bucket")
    s3.put_object(Bucket="whose-bucket", Key="objects/a b", Body=b"")
    assert [call["path"] for call in log()] == ["/whose-bucket", "/whose-bucket/objects/a b"]


def test_a_lost_answer_took_its_time_too(local_cloud, log):
    delay(local_cloud, kind="lose")
    with pytest.raises(ConnectionClosedError):
        World(local_cloud.aws_endpoint).s3.list_buckets()
    lost = eventually(lambda: log()[0]["seconds"] and log()[0])
    assert lost["status"] is None
    assert 0 < lost["seconds"] < 10
