"""Lambda runs so many functions at once, and answers 429 beyond that."""

from __future__ import annotations

import io
import json
import time
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.localcloud.conftest import LocalCloud, eventually
from tests.localcloud.world import World

# Runs until it is let go.
CODE = """
import os, time
def handler(event, context):
    open(event["began"], "w").close()
    while not os.path.exists(event["go"]):
        time.sleep(0.01)
    return "done"
"""


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    cloud = LocalCloud(tmp_path_factory.mktemp("cloud"), concurrency=102)
    cloud.start()
    yield cloud
    assert cloud.stop() == 0


@pytest.fixture
def function(cloud: LocalCloud) -> str:
    world = World(cloud.aws_endpoint)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("code.py", CODE)
    cloud.clients.lambda_.create_function(
        FunctionName=world.name,
        Runtime="python3.11",
        Handler="code.handler",
        Role=world.role,
        Code={"ZipFile": packed.getvalue()},
        Timeout=60,
    )
    return world.name


def reserve(cloud: LocalCloud, function: str, executions: int) -> None:
    cloud.clients.lambda_.put_function_concurrency(
        FunctionName=function, ReservedConcurrentExecutions=executions
    )


def test_a_hundred_stay_unreserved(cloud: LocalCloud, function: str):
    limit: Any = cloud.clients.lambda_.get_account_settings()["AccountLimit"]
    assert (limit["ConcurrentExecutions"], limit["UnreservedConcurrentExecutions"]) == (102, 102)
    with pytest.raises(ClientError, match=r"below its minimum value of \[100\]"):
        reserve(cloud, function, 3)
    # What a function has reserved already is its own.
    for executions in (2, 1, 2):
        reserve(cloud, function, executions)
    limit = cloud.clients.lambda_.get_account_settings()["AccountLimit"]
    assert limit["UnreservedConcurrentExecutions"] == 100
    cloud.clients.lambda_.delete_function_concurrency(FunctionName=function)


def test_one_more_than_is_reserved_is_turned_away_and_counted(
    cloud: LocalCloud, function: str, tmp_path: Path
):
    reserve(cloud, function, 2)
    client = World(cloud.aws_endpoint).lambda_  # asks once
    go = tmp_path / "go"

    def invoke(name: str) -> Any:
        event = {"began": str(tmp_path / name), "go": str(go)}
        return client.invoke(FunctionName=function, Payload=json.dumps(event).encode())

    with ThreadPoolExecutor(2) as pool:
        running = [pool.submit(invoke, name) for name in ("first", "second")]
        eventually(lambda: (tmp_path / "first").exists() and (tmp_path / "second").exists())
        with pytest.raises(client.exceptions.TooManyRequestsException) as refused:
            invoke("third")
        go.touch()
        assert [json.load(each.result()["Payload"]) for each in running] == ["done", "done"]
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 429
    assert json.load(invoke("fourth")["Payload"]) == "done"
    now = time.time()
    told = cloud.clients.cloudwatch.get_metric_statistics(
        Namespace="AWS/Lambda",
        MetricName="Throttles",
        Dimensions=[{"Name": "FunctionName", "Value": function}],
        StartTime=now - 3600,
        EndTime=now + 60,
        Period=3600,
        Statistics=["Sum"],
    )
    # The emulator counts one that was turned away twice, AWS once.
    assert sum(point["Sum"] for point in told["Datapoints"]) in (1, 2)
    cloud.clients.lambda_.delete_function_concurrency(FunctionName=function)
