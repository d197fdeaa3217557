"""S3 refuses what AWS's S3 refuses, in its words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localcloud.physics.policies import bucket_policy_problem
from tests.localcloud.world import ACCOUNT, World, bucket_policy, check, md5, nobody, sha256, table


@pytest.fixture(scope="module")
def world(local_cloud) -> World:
    return World(local_cloud.aws_endpoint)


def policy(**more: Any) -> Callable[[World], Any]:
    return lambda w: w.s3.put_bucket_policy(Bucket=w.bucket, Policy=bucket_policy(w.bucket, **more))


def whole_bucket(world: World) -> Any:
    return policy(Resource=f"arn:aws:s3:::{world.bucket}")(world)


def put(**more: Any) -> Callable[[World], Any]:
    return lambda w: w.s3.put_object(Bucket=w.bucket, Key="key", Body=b"body", **more)


@table(
    [
        ("Content-MD5", put(ContentMD5=md5(b"other")), "BadDigest", 400),
        ("SHA-256", put(ChecksumSHA256=sha256(b"other")), "BadDigest", 400),
        (
            "long key",
            lambda w: w.s3.put_object(Bucket=w.bucket, Key="é" * 513, Body=b""),
            "KeyTooLongError",
            400,
        ),
        (
            "policy is no JSON",
            lambda w: w.s3.put_bucket_policy(Bucket=w.bucket, Policy="{not"),
            "MalformedPolicy",
            400,
        ),
        ("unknown role", policy(Principal=nobody("role")), "MalformedPolicy", 400),
        ("unknown user", policy(Principal=nobody("user")), "MalformedPolicy", 400),
        ("unknown service", policy(Principal={"Service": "nobody"}), "MalformedPolicy", 400),
        ("no principal", policy(Principal=None), "MalformedPolicy", 400),
        ("no effect", policy(Effect=None), "MalformedPolicy", 400),
        ("other bucket", policy(Resource="arn:aws:s3:::other/*"), "MalformedPolicy", 400),
        ("action of objects", whole_bucket, "MalformedPolicy", 400),
        ("action of others", policy(Action="iam:GetRole"), "MalformedPolicy", 400),
        ("public", policy(Principal="*", Condition=None), "AccessDenied", 403),
        (
            "1,001 objects",
            lambda w: w.s3.delete_objects(
                Bucket=w.bucket, Delete={"Objects": [{"Key": str(n)} for n in range(1001)]}
            ),
            "MalformedXML",
            400,
        ),
        (
            "bucket of another region",
            lambda w: w.s3.create_bucket(
                Bucket=w.bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
            ),
            "BucketAlreadyOwnedByYou",
            409,
        ),
        ("bucket name", lambda w: w.s3.create_bucket(Bucket="A_b"), "InvalidBucketName", 400),
    ]
)
def test_s3(world, call, code, status):
    check(world, call, code, status)


def test_what_s3_allows(world):
    bucket = world.bucket
    world.s3.create_bucket(Bucket=bucket)  # its own, in us-east-1
    world.s3.put_object(Bucket=bucket, Key="é" * 512, Body=b"")
    everything = {"Objects": [{"Key": "é" * 512}, *({"Key": str(n)} for n in range(999))]}
    world.s3.delete_objects(Bucket=bucket, Delete=everything)
    allowed: list[dict[str, Any]] = [
        {"Action": ["s3:GetObject", "s3:ListBucket"], "Resource": both(bucket)},
        {"Action": "s3:*", "Resource": f"arn:aws:s3:::{bucket}*", "Effect": "Deny"},
        {"Principal": {"AWS": world.role}},
        {"Principal": {"AWS": [f"arn:aws:iam::{ACCOUNT}:root", "123456789012"]}},
    ]
    for statement in allowed:
        world.s3.put_bucket_policy(Bucket=bucket, Policy=bucket_policy(bucket, **statement))
    assert set(
        world.s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"].values()
    ) == {True}
    world.s3.delete_bucket_policy(Bucket=bucket)


def both(bucket: str) -> list[str]:
    return [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]


def test_a_bucket_is_empty_of_versions_too_before_it_goes(world):
    name = f"{world.name}-versions"
    world.s3.create_bucket(Bucket=name)
    world.s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    first = world.s3.put_object(Bucket=name, Key="a", Body=b"")["VersionId"]
    marker = world.s3.delete_object(Bucket=name, Key="a")["VersionId"]
    for version in (first, marker):
        check(world, lambda w: w.s3.delete_bucket(Bucket=name), "BucketNotEmpty", 409)
        world.s3.delete_object(Bucket=name, Key="a", VersionId=version)
    world.s3.delete_bucket(Bucket=name)
    world.s3.create_bucket(Bucket=name)  # at scale 0 its name is free at once


ACTIONS = ["s3:GetObject", "s3:PutObject", "s3:ListBucket", "s3:GetBucketPolicy"]


@given(st.lists(st.sampled_from(ACTIONS), min_size=1), st.booleans(), st.booleans())
def test_actions_apply_to_what_they_are_about(actions, bucket, objects):
    resources = [arn for arn, wanted in zip(both("b"), (bucket, objects), strict=True) if wanted]
    problem = bucket_policy_problem(
        bucket_policy("b", Action=actions, Resource=resources), "b", lambda _: True
    )
    about_objects = {action.endswith("Object") for action in actions}
    fits = (
        not resources
        or (bucket or False not in about_objects)
        and (objects or True not in about_objects)
    )
    assert (problem == "") == fits
