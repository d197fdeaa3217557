"""CloudFront refuses what AWS's CloudFront refuses, in its words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.localcloud.world import ACCOUNT, World, check, table

UNKNOWN = "4135ea2d-0000-0000-0000-000000000000"


@pytest.fixture(scope="module")
def world(local_cloud) -> World:
    """One of each, used by a distribution; refusals leave it as it is."""
    world = World(local_cloud.aws_endpoint)
    assert world.distribution
    return world


STALE = "E2STALE"


def delete(kind: str, key: str, **etag: str) -> Callable[[World], Any]:
    """Delete the world's thing of that kind: Name or Id, whichever ``key`` says."""
    identifier, attribute = key.split("=")

    def call(world: World) -> Any:
        return getattr(world.cloudfront, f"delete_{kind}")(
            **{identifier: getattr(world, attribute)},
            **(etag or {"IfMatch": current(world, kind, identifier, attribute)}),
        )

    return call


def current(world: World, kind: str, identifier: str, attribute: str) -> str:
    verb = "describe" if identifier == "Name" else "get"
    read = getattr(world.cloudfront, f"{verb}_{kind}")
    stage = {"Stage": "DEVELOPMENT"} if kind == "function" else {}
    return str(read(**{identifier: getattr(world, attribute)}, **stage)["ETag"])


DELETED = [
    ("function", "Name=name", "FunctionInUse"),
    ("key_value_store", "Name=name", "CannotDeleteEntityWhileInUse"),
    ("origin_access_control", "Id=oac", "OriginAccessControlInUse"),
    ("response_headers_policy", "Id=headers_policy", "ResponseHeadersPolicyInUse"),
    ("origin_request_policy", "Id=request_policy", "OriginRequestPolicyInUse"),
    ("cache_policy", "Id=cache_policy", "CachePolicyInUse"),
    ("distribution", "Id=distribution", "DistributionNotDisabled"),
]


@table([(kind, delete(kind, key), code, 409) for kind, key, code in DELETED])
def test_what_is_in_use_stays(world, call, code, status):
    check(world, call, code, status)


@pytest.fixture(scope="module")
def idle(local_cloud) -> World:
    """One of each, used by nothing."""
    world = World(local_cloud.aws_endpoint)
    etag = world.distribute(world.config(Enabled=False))
    world.distribution = etag["Distribution"]["Id"]
    world.cloudfront.delete_distribution(Id=world.distribution, IfMatch=etag["ETag"])
    world.distribution = world.distribute(world.plain(Enabled=False))["Distribution"]["Id"]
    return world


@table(
    [
        row
        for kind, key, _ in DELETED
        for row in (
            (f"{kind} stale", delete(kind, key, IfMatch=STALE), "PreconditionFailed", 412),
            (f"{kind} without", delete(kind, key, IfMatch=""), "InvalidIfMatchVersion", 400),
        )
        if kind != "key_value_store"  # a function uses it
    ]
)
def test_a_version_must_be_the_current_one(idle, call, code, status):
    check(idle, call, code, status)


def target(**more: Any) -> Callable[[World], Any]:
    return lambda world: world.distribute(world.plain() | more)


def behaves(**more: Any) -> Callable[[World], Any]:
    return lambda world: world.distribute(
        world.plain() | {"DefaultCacheBehavior": world.plain()["DefaultCacheBehavior"] | more}
    )


def runs(arn: str) -> Callable[[World], Any]:
    return behaves(
        FunctionAssociations={
            "Quantity": 1,
            "Items": [{"EventType": "viewer-request", "FunctionARN": arn}],
        }
    )


def draft(world: World) -> Any:
    """A distribution with a function that was never published."""
    other = World(world.endpoint)
    arn = other.new_function()["FunctionSummary"]["FunctionMetadata"]["FunctionARN"]
    return runs(arn)(world)


FUNCTION = f"arn:aws:cloudfront::{ACCOUNT}:function/never-made"


@table(
    [
        ("origin", behaves(TargetOriginId="another"), "NoSuchOrigin", 404),
        ("cache policy", behaves(CachePolicyId=UNKNOWN), "NoSuchCachePolicy", 404),
        (
            "origin request policy",
            behaves(OriginRequestPolicyId=UNKNOWN),
            "NoSuchOriginRequestPolicy",
            404,
        ),
        (
            "response headers policy",
            behaves(ResponseHeadersPolicyId=UNKNOWN),
            "NoSuchResponseHeadersPolicy",
            404,
        ),
        ("function", runs(FUNCTION), "InvalidFunctionAssociation", 400),
        ("draft function", draft, "InvalidFunctionAssociation", 400),
        (
            "origin access control",
            lambda w: w.distribute(
                w.config(origin={"OriginAccessControlId": "E1UNKNOWN"})
                | {"CallerReference": "another"}
            ),
            "InvalidOriginAccessControl",
            400,
        ),
        (
            "on update",
            lambda w: w.reconfigure(behavior={"CachePolicyId": UNKNOWN}),
            "NoSuchCachePolicy",
            404,
        ),
        ("root object", target(DefaultRootObject="/index.html"), "InvalidDefaultRootObject", 400),
    ]
)
def test_a_distribution_refers_to_what_is_there(world, call, code, status):
    check(world, call, code, status)


@table(
    [
        ("same reference", lambda w: w.distribute(w.config()), "DistributionAlreadyExists", 409),
        (
            "same reference, other config",
            lambda w: w.distribute(w.config(Comment="other")),
            "DistributionAlreadyExists",
            409,
        ),
        (
            "changed reference",
            lambda w: w.reconfigure(CallerReference="changed"),
            "IllegalUpdate",
            400,
        ),
        (
            "stale update",
            lambda w: w.cloudfront.update_distribution(
                Id=w.distribution, IfMatch=STALE, DistributionConfig=w.config()
            ),
            "PreconditionFailed",
            412,
        ),
        ("second OAC", lambda w: w.new_oac(), "OriginAccessControlAlreadyExists", 409),
        ("second function", lambda w: w.new_function(), "FunctionAlreadyExists", 409),
        (
            "second store",
            lambda w: w.cloudfront.create_key_value_store(Name=w.name),
            "EntityAlreadyExists",
            409,
        ),
        (
            "alias without certificate",
            target(Aliases={"Quantity": 1, "Items": ["a.example"]}),
            "InvalidViewerCertificate",
            400,
        ),
        (
            "certificate not issued",
            lambda w: w.distribute(
                w.plain(
                    ViewerCertificate=w.viewer_certificate,
                    Aliases={"Quantity": 1, "Items": [w.domain]},
                )
            ),
            "InvalidViewerCertificate",
            400,
        ),
        (
            "publish a stale function",
            lambda w: w.cloudfront.publish_function(Name=w.name, IfMatch=STALE),
            "PreconditionFailed",
            412,
        ),
        ("invalidation path", lambda w: w.invalidate("page"), "InvalidArgument", 400),
    ]
)
def test_cloudfront(world, call, code, status):
    check(world, call, code, status)
