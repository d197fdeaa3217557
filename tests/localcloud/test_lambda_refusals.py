"""Lambda refuses what AWS's Lambda refuses, in its words."""

from __future__ import annotations

from typing import Any

import pytest

from tests.localcloud.world import ACCOUNT, LAMBDA_TRUST, World, check, table


@pytest.fixture(scope="module")
def world(local_cloud) -> World:
    return World(local_cloud.aws_endpoint)


def permit(world: World) -> None:
    for _ in range(2):
        world.lambda_.add_permission(
            FunctionName=world.function_arn,
            StatementId="once",
            Action="lambda:InvokeFunction",
            Principal="cloudfront.amazonaws.com",
        )


def untrusted(world: World) -> Any:
    other = World(world.endpoint)
    trust = LAMBDA_TRUST.replace("lambda.", "ec2.")
    made = other.iam.create_role(RoleName=other.name, AssumeRolePolicyDocument=trust)
    return other.new_lambda(Role=made["Role"]["Arn"])


@table(
    [
        (
            "unknown role",
            lambda w: w.new_lambda(Role=f"arn:aws:iam::{ACCOUNT}:role/nobody", FunctionName="new"),
            "InvalidParameterValueException",
            400,
        ),
        (
            "unknown role on update",
            lambda w: w.lambda_.update_function_configuration(
                FunctionName=w.function_arn, Role=f"arn:aws:iam::{ACCOUNT}:role/nobody"
            ),
            "InvalidParameterValueException",
            400,
        ),
        ("untrusting role", untrusted, "InvalidParameterValueException", 400),
        ("same statement", permit, "ResourceConflictException", 409),
        (
            "second function",
            lambda w: w.function_arn and w.new_lambda(),
            "ResourceConflictException",
            409,
        ),
    ]
)
def test_lambda(world, call, code, status):
    check(world, call, code, status)
