"""Honest time: what AWS needs minutes for is not there at once, and then it is."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import uuid
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from unittest.mock import Mock
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localcloud.durations import SECONDS, Clock
from localcloud.physics.iam import Iam
from localcloud.physics.lambda_ import Lambda
from localcloud.propagation import Propagation
from localcloud.wire import Answer, Call, json_answer
from tests.localcloud.conftest import LocalCloud, eventually
from tests.localcloud.test_physics import create_instance, request_certificate, validate
from tests.localcloud.world import LAMBDA_TRUST


@given(st.sampled_from(sorted(SECONDS)), st.floats(0, 10), st.floats(0, 10_000))
def test_a_thing_is_under_way_for_its_share_of_the_table(what, scale, later):
    now = 1000.0
    clock = Clock(scale, lambda: now)
    assert not clock.under_way(what, "x")
    clock.begin(what, "x")
    assert clock.has_begun(what, "x")
    ends = now + SECONDS[what] * scale
    now += later
    assert clock.under_way(what, "x") == (now < ends)
    assert not clock.under_way(what, "y")


@pytest.fixture(scope="module")
def slow_cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    """A fiftieth of AWS's time: 6 s for a DB instance, a fifth of a second for a role."""
    cloud = LocalCloud(tmp_path_factory.mktemp("slow"), time_scale=0.02)
    cloud.start()
    yield cloud
    cloud.stop()


@pytest.fixture
def name() -> str:
    return f"slow-{uuid.uuid4().hex[:8]}"


def test_a_db_instance_is_creating_then_available(slow_cloud, name):
    clients = slow_cloud.clients
    made = create_instance(clients, name, name)
    assert made["DBInstanceStatus"] == "creating"
    assert "Endpoint" not in made

    def described():
        return clients.rds.describe_db_instances(DBInstanceIdentifier=name)["DBInstances"][0]

    assert described()["DBInstanceStatus"] == "creating"
    eventually(lambda: described()["DBInstanceStatus"] == "available")
    assert described()["Endpoint"]["Address"]
    clients.rds.delete_db_instance(DBInstanceIdentifier=name, SkipFinalSnapshot=True)


def test_a_change_is_pending_then_insync(slow_cloud, name):
    route53 = slow_cloud.clients.route53
    made = route53.create_hosted_zone(Name=f"{name}.example", CallerReference=name)
    change = made["ChangeInfo"]
    assert change["Status"] == "PENDING"
    assert route53.get_change(Id=change["Id"])["ChangeInfo"]["Status"] == "PENDING"
    assert route53.get_change(Id=change["Id"])["ChangeInfo"]["Status"] == "PENDING"
    eventually(lambda: route53.get_change(Id=change["Id"])["ChangeInfo"]["Status"] == "INSYNC")


def test_a_certificate_takes_its_time(slow_cloud, name):
    clients, domain = slow_cloud.clients, f"{name}.example"
    arn = request_certificate(clients, domain)

    def described():
        return clients.acm.describe_certificate(CertificateArn=arn)["Certificate"]

    eventually(lambda: "ResourceRecord" in described()["DomainValidationOptions"][0])
    validate(clients, domain, arn)
    assert described()["Status"] == "PENDING_VALIDATION"
    eventually(lambda: described()["Status"] == "ISSUED")


def test_a_new_role_can_be_assumed_in_the_end(slow_cloud, name, function_zip):
    clients = slow_cloud.clients
    role = clients.iam.create_role(RoleName=name, AssumeRolePolicyDocument=LAMBDA_TRUST)["Role"][
        "Arn"
    ]

    def created() -> bool:
        with contextlib.suppress(clients.lambda_.exceptions.InvalidParameterValueException):
            clients.lambda_.create_function(
                FunctionName=name,
                Role=role,
                Runtime="python3.12",
                Handler="f.handler",
                Code={"ZipFile": function_zip},
            )
            return True
        return False

    eventually(created)


class HandClock(Clock):
    """Goes on when it is told to."""

    def __init__(self) -> None:
        self.time = 1000.0
        super().__init__(1, lambda: self.time)


def asked(rule: Any, call: Call, answer: Answer) -> Answer:
    async def forward(_: Call) -> Answer:
        return answer

    answered: Answer = asyncio.run(rule(call, forward))
    return answered


def test_a_role_is_too_young_for_exactly_its_time():
    clock = HandClock()
    role = {
        "Action": "CreateRole",
        "RoleName": "young",
        "AssumeRolePolicyDocument": LAMBDA_TRUST,
    }
    create_role = Call("POST", "/", "", {}, urlencode(role).encode())
    reader = Mock(spec=["iam"], iam=Mock(spec=["get_role"]))
    reader.iam.get_role.return_value = {
        "Role": {"AssumeRolePolicyDocument": json.loads(LAMBDA_TRUST)}
    }
    asked(Iam(reader, clock), create_role, Answer(200))
    rule = Lambda(Mock(spec=Propagation, reader=reader), clock)
    body = json.dumps({"Role": "arn:aws:iam::000000000000:role/path/young"}).encode()
    signed = {"authorization": "Credential=x/20260101/us-east-1/lambda/aws4_request"}
    create = Call("POST", "/2015-03-31/functions", "", signed, body)
    clock.time += SECONDS["role"] - 0.01
    refusal = asked(rule, create, json_answer({}))
    assert refusal.status == 400
    assert refusal.document["__type"] == "InvalidParameterValueException"
    assert "cannot be assumed" in refusal.text
    in_vpc = replace(create, body=body[:-1] + b', "VpcConfig": {"SubnetIds": ["s"]}}')
    assert "CreateNetworkInterface" in asked(rule, in_vpc, json_answer({})).text
    other = Call("GET", "/2015-03-31/functions", "", signed, body)
    assert asked(rule, other, Answer(200)).ok
    clock.time += 0.01
    for old_enough in (create, in_vpc):
        assert asked(rule, old_enough, json_answer({})).document["State"] == "Pending"
        clock.end("function", "")


@pytest.fixture
def function_zip() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("f.py", "def handler(event, context): return {}")
    return packed.getvalue()
