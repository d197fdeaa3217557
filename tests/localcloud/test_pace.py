"""Honest time of what changes: CloudFront, S3, Lambda and Route 53 are busy for a while."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from collections.abc import Iterator
from typing import Any
from unittest.mock import Mock

import pytest

from cloudadmin.aws import ClientError
from localcloud.durations import SECONDS, Clock
from localcloud.physics.lambda_ import Lambda
from localcloud.physics.route53 import Route53
from localcloud.physics.s3 import S3
from localcloud.propagation import Propagation
from localcloud.wire import Answer, Call, json_answer
from tests.localcloud.conftest import LocalCloud, eventually
from tests.localcloud.test_durations import HandClock, asked
from tests.localcloud.world import World, check


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A fiftieth of AWS's time: five seconds for a distribution."""
    cloud = LocalCloud(tmp_path_factory.mktemp("pace"), time_scale=0.02)
    cloud.start()
    yield World(cloud.aws_endpoint)
    cloud.stop()


def test_a_distribution_is_in_progress_after_every_change(world):
    cloudfront = world.cloudfront

    def status() -> str:
        return str(cloudfront.get_distribution(Id=world.distribution)["Distribution"]["Status"])

    def listed() -> str:
        found = cloudfront.list_distributions()["DistributionList"]["Items"]
        return next(str(each["Status"]) for each in found if each["Id"] == world.distribution)

    assert status() == listed() == "InProgress"
    eventually(lambda: status() == "Deployed")
    changed = world.reconfigure(Enabled=False)
    assert changed["Distribution"]["Status"] == status() == listed() == "InProgress"

    def delete(_: World) -> Any:
        return cloudfront.delete_distribution(Id=world.distribution, IfMatch=changed["ETag"])

    check(world, delete, "DistributionNotDisabled", 409)
    made = world.invalidate("/*")["Invalidation"]
    assert made["Status"] == "InProgress"

    def invalidation() -> str:
        found = cloudfront.get_invalidation(DistributionId=world.distribution, Id=made["Id"])
        return str(found["Invalidation"]["Status"])

    assert invalidation() == "InProgress"
    eventually(lambda: invalidation() == "Completed")
    eventually(lambda: status() == "Deployed")
    assert listed() == "Deployed"
    delete(world)


def test_the_name_of_a_bucket_is_not_free_at_once(world):
    name = f"{world.name}-again"
    world.s3.create_bucket(Bucket=name)
    world.s3.delete_bucket(Bucket=name)

    def create(_: World) -> Any:
        return world.s3.create_bucket(Bucket=name)

    check(world, create, "OperationAborted", 409)

    def created() -> bool:
        with contextlib.suppress(ClientError):
            create(world)
            return True
        return False

    eventually(created)


def rule_with(kind: Any, clock: Clock) -> Any:
    reader = Mock()
    reader.route53.exceptions.NoSuchHostedZone = ClientError
    reader.route53.get_hosted_zone.side_effect = ClientError({}, "GetHostedZone")
    if kind is Route53:
        return Route53(reader, clock)
    return kind(Mock(spec=Propagation, reader=reader), clock)


def lambda_call(method: str, path: str, body: Any = None) -> Call:
    text = json.dumps(body or {}).encode()
    return Call(method, f"/2015-03-31/functions{path}", "", signed("lambda"), text)


def signed(service: str) -> dict[str, str]:
    return {"authorization": f"Credential=x/20260101/us-east-1/{service}/aws4_request"}


def test_a_function_changes_once_at_a_time():
    clock = HandClock()
    rule = rule_with(Lambda, clock)
    create = lambda_call("POST", "", {"FunctionName": "f"})
    update = lambda_call("PUT", "/f/code")
    read = lambda_call("GET", "/f")
    invoke = lambda_call("POST", "/f/invocations")

    def described() -> tuple[str, str]:
        shown = {"State": "Active", "LastUpdateStatus": "Successful"}
        found = asked(rule, read, json_answer({"Configuration": shown})).document["Configuration"]
        return found["State"], found["LastUpdateStatus"]

    assert asked(rule, create, json_answer({})).document["State"] == "Pending"
    clock.time += SECONDS["function"] - 0.01
    assert described() == ("Pending", "InProgress")
    for call in (update, invoke):
        refusal = asked(rule, call, json_answer({}))
        assert (refusal.status, refusal.document["__type"]) == (409, "ResourceConflictException")
    clock.time += 0.01
    assert described() == ("Active", "Successful")

    assert asked(rule, update, json_answer({})).document["LastUpdateStatus"] == "InProgress"
    clock.time += SECONDS["function_update"] - 0.01
    assert described() == ("Active", "InProgress")
    assert asked(rule, update, json_answer({})).status == 409
    assert asked(rule, invoke, json_answer({})).ok
    clock.time += 0.01
    assert described() == ("Active", "Successful")
    assert asked(rule, update, json_answer({})).ok


def test_a_zone_takes_the_next_change_after_a_moment():
    clock = HandClock()
    rule = rule_with(Route53, clock)
    change = Call("POST", "/2013-04-01/hostedzone/Z1/rrset/", "", {}, b"<x/>")
    other = Call("POST", "/2013-04-01/hostedzone/Z2/rrset/", "", {}, b"<x/>")
    assert not asked(rule, change, Answer(400)).ok
    assert asked(rule, change, Answer(200)).ok  # what was refused takes no time
    clock.time += SECONDS["zone"] - 0.01
    refusal = asked(rule, change, Answer(200))
    assert refusal.status == 400
    assert "<Code>PriorRequestNotComplete</Code>" in refusal.text
    assert asked(rule, other, Answer(200)).ok
    clock.time += 0.01
    assert asked(rule, change, Answer(200)).ok


def test_without_honest_time_nothing_is_busy(local_cloud):
    world = World(local_cloud.aws_endpoint)
    assert world.zone
    refused: list[Exception] = []

    def change(n: int) -> None:
        try:
            world.record("UPSERT", f"n{n}.", "A", "192.0.2.1")
        except ClientError as error:
            refused.append(error)

    threads = [threading.Thread(target=change, args=[n]) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert refused == []
    deployed = world.distribute(world.plain())["Distribution"]
    assert deployed["Status"] == "Deployed"
    assert world.function_arn
    world.lambda_.update_function_configuration(FunctionName=world.name, Timeout=9)
    world.lambda_.update_function_configuration(FunctionName=world.name, Timeout=10)


def test_s3_knows_names_by_path_and_by_host():
    clock = HandClock()
    rule = rule_with(S3, clock)
    rule.propagation.refresh = Mock(side_effect=lambda *_: asyncio.sleep(0))
    by_host = Call("DELETE", "/", "", signed("s3") | {"host": "b.s3.localhost:4566"})
    assert asked(rule, by_host, Answer(204)).ok
    by_path = Call("PUT", "/b", "", signed("s3") | {"host": "localhost:4566"})
    assert asked(rule, by_path, Answer(200)).status == 409
    clock.time += SECONDS["bucket_name"]
    assert asked(rule, by_path, Answer(200)).ok
