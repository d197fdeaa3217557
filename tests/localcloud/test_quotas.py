"""Quotas that a site can meet: each holds at its edge, and not before it."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localcloud.physics.invalidations import Batch, Invalidations
from localcloud.physics.keyvaluestore import STORE_BYTES, Update
from tests.localcloud.conftest import LocalCloud
from tests.localcloud.world import World, check, table


@pytest.fixture(scope="module")
def world(local_cloud) -> World:
    return World(local_cloud.aws_endpoint)


def put(world: World, *pairs: tuple[str, str], deletes: tuple[str, ...] = ()) -> int:
    """The store's size after it."""
    answer = world.kvs.update_keys(
        KvsARN=world.store,
        IfMatch=world.store_etag(),
        Puts=[{"Key": key, "Value": value} for key, value in pairs],
        Deletes=[{"Key": key} for key in deletes],
    )
    return int(answer["TotalSizeInBytes"])


def pairs(count: int, prefix: str = "k", size: int = 1) -> list[tuple[str, str]]:
    return [(f"{prefix}{n}", "v" * size) for n in range(count)]


@table(
    [
        ("key", lambda w: put(w, ("é" * 257, "")), "ValidationException", 400),
        ("value", lambda w: put(w, ("k", "é" * 513)), "ValidationException", 400),
        (
            "value alone",
            lambda w: w.kvs.put_key(
                KvsARN=w.store, IfMatch=w.store_etag(), Key="k", Value="v" * 1025
            ),
            "ValidationException",
            400,
        ),
        ("51 keys", lambda w: put(w, *pairs(51)), "ValidationException", 400),
        (
            "50 keys and a delete",
            lambda w: put(w, *pairs(50), deletes=("k",)),
            "ValidationException",
            400,
        ),
        (
            "stale",
            lambda w: w.kvs.update_keys(
                KvsARN=w.store, IfMatch="stale", Puts=[{"Key": "k", "Value": "v"}]
            ),
            "ConflictException",
            409,
        ),
        (
            "no such store",
            lambda w: w.kvs.describe_key_value_store(KvsARN=f"{w.store}-2"),
            "ResourceNotFoundException",
            404,
        ),
    ]
)
def test_a_key_value_store_refuses(world, call, code, status):
    check(world, call, code, status)


def test_a_store_holds_five_megabytes(local_cloud):
    world = World(local_cloud.aws_endpoint)
    assert put(world, ("é" * 256, "é" * 512)) == 1536
    pad = "k" * 508
    full = 0
    for n in range(STORE_BYTES // (50 * 1536)):
        full = put(world, *((f"{pad}{n * 50 + m:04}", "v" * 1024) for m in range(50)))
    rest = (STORE_BYTES - full) // 1536
    assert put(world, *((f"{pad}r{m:03}", "v" * 1024) for m in range(rest))) <= STORE_BYTES
    too_much = ("one more", "v" * 1024)
    check(world, lambda w: put(w, too_much), "ServiceQuotaExceededException", 402)
    put(world, too_much, deletes=("é" * 256,))
    put(world, (f"{pad}0000", "w" * 1024))  # in the place of another


@given(st.text(max_size=600), st.text(max_size=1100), st.integers(0, 60))
def test_an_update_is_measured_in_bytes(key, value, deletes):
    update = Update({key: value}, tuple(f"d{n}" for n in range(deletes)))
    fits = 0 < len(key.encode()) <= 512 and len(value.encode()) <= 1024 and deletes < 50
    assert (update.problem() == "") == fits


def test_a_function_has_ten_kilobytes(local_cloud):
    world = World(local_cloud.aws_endpoint)
    check(world, lambda w: w.new_function(b"x" * 10_241), "FunctionSizeLimitExceeded", 413)
    made = world.new_function(b"x" * 10_240)
    check(
        world,
        lambda w: w.cloudfront.update_function(
            Name=w.name,
            IfMatch=made["ETag"],
            FunctionConfig=w.function_config(),
            FunctionCode=b"x" * 10_241,
        ),
        "FunctionSizeLimitExceeded",
        413,
    )


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Where an invalidation is in progress for minutes."""
    cloud = LocalCloud(tmp_path_factory.mktemp("quotas"), propagation=600)
    cloud.start()
    world = World(cloud.aws_endpoint)
    world.distribution = world.distribute(world.plain())["Distribution"]["Id"]
    yield world
    cloud.stop()


def test_invalidations_in_progress(slow):
    files = [f"/{n}" for n in range(3001)]
    check(slow, lambda w: w.invalidate(*files), "BatchTooLarge", 413)
    reference = str(uuid.uuid4())
    first = slow.invalidate(*files[:3000], reference=reference)
    assert first["Invalidation"]["Status"] == "InProgress"
    again = slow.invalidate(*files[:3000], reference=reference)
    assert again["Invalidation"]["Id"] == first["Invalidation"]["Id"]
    check(slow, lambda w: w.invalidate("/more"), "TooManyInvalidationsInProgress", 400)
    check(
        slow,
        lambda w: w.invalidate("/other", reference=reference),
        "InvalidationBatchAlreadyExists",
        400,
    )
    # Wildcards are counted by themselves.
    for n in range(15):
        slow.invalidate(f"/{n}/*")
    check(slow, lambda w: w.invalidate("/15/*"), "TooManyInvalidationsInProgress", 400)


@given(st.lists(st.lists(st.sampled_from(["/a", "/a/*", "/*"]), min_size=1, max_size=6)))
def test_what_is_in_progress_is_within_the_quota(batches):
    invalidations = Invalidations(lambda _: True)
    wildcards = 0
    for n, paths in enumerate(batches):
        batch = Batch("E1", str(n), tuple(paths))
        asked = sum(path.endswith("*") for path in paths)
        refused = invalidations.refuse(batch) is not None
        assert refused == (wildcards + asked > 15)
        if not refused:
            invalidations.add(str(n), batch)
            wildcards += asked
        assert invalidations.refuse(Batch("E2", "x", ("/*",))) is None


ZIP = b"\0" * (50 * 1024 * 1024)


@table(
    [
        (
            "reserved concurrency",
            lambda w: w.lambda_.put_function_concurrency(
                FunctionName=w.function_arn, ReservedConcurrentExecutions=1
            ),
            "InvalidParameterValueException",
            400,
        ),
        (
            "zip",
            lambda w: w.new_lambda(FunctionName="large", Code={"ZipFile": ZIP}),
            "RequestEntityTooLargeException",
            413,
        ),
        (
            "trust policy",
            lambda w: w.iam.update_assume_role_policy(
                RoleName=w.role and w.name, PolicyDocument=w.trust(2049)
            ),
            "LimitExceeded",
            409,
        ),
        (
            "inline policy",
            lambda w: w.iam.put_role_policy(
                RoleName=w.role and w.name, PolicyName="p", PolicyDocument=w.allowance(10_241)
            ),
            "LimitExceeded",
            409,
        ),
        (
            "managed policy",
            lambda w: w.iam.create_policy(PolicyName=w.name, PolicyDocument=w.allowance(6145)),
            "LimitExceeded",
            409,
        ),
    ]
)
def test_lambda_and_iam(world, call, code, status):
    check(world, call, code, status)


def test_what_fits_is_taken(world):
    assert world.role
    world.iam.update_assume_role_policy(RoleName=world.name, PolicyDocument=world.trust(2048))
    world.iam.put_role_policy(
        RoleName=world.name, PolicyName="p", PolicyDocument=world.allowance(10_240)
    )
    arn = world.iam.create_policy(
        PolicyName=f"{world.name}-fits", PolicyDocument=world.allowance(6144)
    )["Policy"]["Arn"]
    for _ in range(4):
        world.iam.create_policy_version(PolicyArn=arn, PolicyDocument=world.allowance(200))
    check(
        world,
        lambda w: w.iam.create_policy_version(PolicyArn=arn, PolicyDocument=w.allowance(200)),
        "LimitExceeded",
        409,
    )
    world.lambda_.put_function_concurrency(
        FunctionName=world.function_arn, ReservedConcurrentExecutions=0
    )
    limits = world.lambda_.get_account_settings()["AccountLimit"]
    assert limits["ConcurrentExecutions"] == limits["UnreservedConcurrentExecutions"] == 10


def test_a_hundred_aliases(world):
    names = [f"a{n}.example" for n in range(101)]
    check(
        world,
        lambda w: w.distribute(w.plain(Aliases={"Quantity": 101, "Items": names})),
        "TooManyDistributionCNAMEs",
        400,
    )
