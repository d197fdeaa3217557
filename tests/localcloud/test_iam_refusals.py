"""IAM refuses what AWS's IAM refuses, in its words."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.localcloud.world import LAMBDA_TRUST, World, check, nobody, table


@pytest.fixture(scope="module")
def world(local_cloud) -> World:
    return World(local_cloud.aws_endpoint)


def trust(document: Any) -> Callable[[World], Any]:
    text = document if isinstance(document, str) else json.dumps(document)
    return lambda w: w.iam.create_role(RoleName=f"{w.name}-2", AssumeRolePolicyDocument=text)


def trusts(**more: Any) -> Callable[[World], Any]:
    found = json.loads(LAMBDA_TRUST)
    statement = {**found["Statement"][0], **more}
    found["Statement"] = [{k: v for k, v in statement.items() if v is not None}]
    return trust(found)


def managed(world: World) -> str:
    document = {"Version": "2012-10-17", "Statement": [ALLOW]}
    made = world.iam.create_policy(
        PolicyName=World(world.endpoint).name, PolicyDocument=json.dumps(document)
    )
    return str(made["Policy"]["Arn"])


ALLOW = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}


def delete_role_with(prepare: Callable[[World, World], Any]) -> Callable[[World], Any]:
    def call(world: World) -> Any:
        other = World(world.endpoint)
        assert other.role
        prepare(world, other)
        return other.iam.delete_role(RoleName=other.name)

    return call


def inline(_: World, other: World) -> None:
    document = json.dumps({"Version": "2012-10-17", "Statement": [ALLOW]})
    other.iam.put_role_policy(RoleName=other.name, PolicyName="p", PolicyDocument=document)


def attached(world: World, other: World) -> None:
    other.iam.attach_role_policy(RoleName=other.name, PolicyArn=managed(world))


def delete_boundary(world: World) -> Any:
    arn, other = managed(world), World(world.endpoint)
    other.iam.create_role(
        RoleName=other.name, AssumeRolePolicyDocument=LAMBDA_TRUST, PermissionsBoundary=arn
    )
    return world.iam.delete_policy(PolicyArn=arn)


def delete_versions(world: World) -> Any:
    arn = managed(world)
    document = json.dumps({"Version": "2012-10-17", "Statement": [ALLOW]})
    world.iam.create_policy_version(PolicyArn=arn, PolicyDocument=document, SetAsDefault=True)
    return world.iam.delete_policy(PolicyArn=arn)


@table(
    [
        ("trust is no JSON", trust("{not"), "MalformedPolicyDocument", 400),
        ("trust is empty", trust("{}"), "MalformedPolicyDocument", 400),
        ("trusts nobody", trusts(Principal=None), "MalformedPolicyDocument", 400),
        ("unknown role", trusts(Principal=nobody("role")), "MalformedPolicyDocument", 400),
        ("has a resource", trusts(Resource="*"), "MalformedPolicyDocument", 400),
        ("no action", trusts(Action=None), "MalformedPolicyDocument", 400),
        ("another action", trusts(Action="s3:GetObject"), "MalformedPolicyDocument", 400),
        ("inline policy", delete_role_with(inline), "DeleteConflict", 409),
        ("attached policy", delete_role_with(attached), "DeleteConflict", 409),
        ("boundary", delete_boundary, "DeleteConflict", 409),
        ("versions", delete_versions, "DeleteConflict", 409),
        (
            "policy with principal",
            lambda w: w.iam.put_role_policy(
                RoleName=w.role and w.name, PolicyName="p", PolicyDocument=LAMBDA_TRUST
            ),
            "MalformedPolicyDocument",
            400,
        ),
    ]
)
def test_iam(world, call, code, status):
    check(world, call, code, status)
