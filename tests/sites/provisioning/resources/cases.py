"""Each type of resource, and the ground that it stands on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

from sites.provisioning import resources as r
from sites.provisioning.resources import Resource
from sites.provisioning.resources.function_permission import CALL_ACTION, URL_ACTION

ARN = "arn:aws:cloudfront::000000000000:distribution/E1"


@dataclass(frozen=True)
class Ground:
    """What resources stand on: a bucket with code in it, and a function of that code."""

    name: str
    zone: str
    account_id: str
    vpc_id: str
    path: Path
    bucket: r.Bucket
    role: r.Role
    function: r.LambdaFunction

    @property
    def tags(self) -> dict[str, str]:
        return {"Name": self.name, "cloudadmin:managed-by": "cloudadmin"}

    def lambda_function(self, name: str) -> r.LambdaFunction:
        return replace(self.function, name=name)


def distribution(g: Ground) -> r.Distribution:
    return r.Distribution(
        name=g.name,
        bucket_domain_name=f"{g.name}.s3.us-east-1.amazonaws.com",
        origin_access_control_id="E1S3",
        response_headers_policy_id="policy-1",
        function_arn=f"arn:aws:cloudfront::{g.account_id}:function/{g.name}",
        price_class="PriceClass_100",
        tags=g.tags,
    )


def function(g: Ground, code: str = "function handler(event) { return event.request }"):
    store = f"arn:aws:cloudfront::{g.account_id}:key-value-store/{g.name}"
    return r.Function(g.name, store, sha256(code.encode()).hexdigest(), code)


def role(name: str, account_id: str) -> r.Role:
    return r.Role(
        name=name,
        permission_boundary_arn=f"arn:aws:iam::{account_id}:policy/any",
        log_group_arn=f"arn:aws:logs:us-east-1:{account_id}:log-group:{name}",
        database_user_arn=f"arn:aws:rds-db:us-east-1:{account_id}:dbuser:db-1/cloudadmin",
        tags={"Name": name},
    )


Make = Callable[[Ground], Resource]
# Each type, and the same thing wanted otherwise, where there is something to change.
CASES: dict[str, tuple[Make, Make | None]] = {
    "alias_record": (
        lambda g: r.AliasRecord(f"www.{g.zone}", "A", "d1.cloudfront.net"),
        lambda g: r.AliasRecord(f"www.{g.zone}", "A", "d2.cloudfront.net"),
    ),
    "artifact": (
        lambda g: r.Artifact(g.bucket.name, "functions/a/", "00" * 32, g.path),
        lambda g: r.Artifact(g.bucket.name, "functions/a/", "11" * 32, g.path),
    ),
    "bucket": (
        lambda g: r.Bucket(g.name, "us-east-1", g.tags),
        lambda g: r.Bucket(g.name, "us-east-1", g.tags | {"Name": "another"}),
    ),
    "bucket_policy": (
        lambda g: r.BucketPolicy(g.bucket.name, ARN),
        lambda g: r.BucketPolicy(g.bucket.name, f"{ARN}2"),
    ),
    "cache_policy": (
        lambda g: r.CachePolicy(g.name, ("label",), 10),
        lambda g: r.CachePolicy(g.name, ("label", "color"), 5),
    ),
    "certificate": (lambda g: r.Certificate(g.name, (g.zone, f"www.{g.zone}"), g.tags), None),
    "counter_schema": (lambda g: r.CounterSchema(g.function.name), None),
    "db_instance": (
        lambda g: r.DbInstance(g.name, "counter", "cloudadmin", g.tags),
        lambda g: r.DbInstance(g.name, "counter", "cloudadmin", g.tags, deletion_protection=False),
    ),
    "db_subnet_group": (lambda g: r.DbSubnetGroup(g.name, g.tags), None),
    "distribution": (
        distribution,
        lambda g: replace(
            distribution(g), price_class="PriceClass_All", function_url_domain_name="f.example"
        ),
    ),
    "function": (function, lambda g: function(g, "function handler() {}")),
    "function_permission": (
        lambda g: r.FunctionPermission(g.function.name, URL_ACTION, ARN),
        None,
    ),
    "function_permission call": (
        lambda g: r.FunctionPermission(g.function.name, CALL_ACTION, ARN),
        None,
    ),
    "function_url": (lambda g: r.FunctionUrl(g.function.name), None),
    "key_value_store": (lambda g: r.KeyValueStore(g.name, g.tags), None),
    "lambda_function": (
        lambda g: g.lambda_function(g.name),
        lambda g: replace(g.lambda_function(g.name), timeout=7, environment={"A": "B"}),
    ),
    "log_group": (
        lambda g: r.LogGroup(f"/aws/lambda/{g.name}", 14, g.tags),
        lambda g: r.LogGroup(f"/aws/lambda/{g.name}", 30, g.tags),
    ),
    "origin_access_control": (lambda g: r.OriginAccessControl(g.name, "s3"), None),
    "origin_request_policy": (
        lambda g: r.OriginRequestPolicy(g.name, ("User-Agent", "Referer")),
        lambda g: r.OriginRequestPolicy(g.name, ("User-Agent", "DNT")),
    ),
    "permission_boundary": (
        lambda g: r.PermissionBoundary(g.name, g.account_id, g.tags),
        None,
    ),
    "response_headers_policy": (lambda g: r.ResponseHeadersPolicy(g.name), None),
    "role": (
        lambda g: role(g.name, g.account_id),
        lambda g: replace(
            role(g.name, g.account_id),
            database_user_arn=f"arn:aws:rds-db:us-east-1:{g.account_id}:dbuser:db-2/cloudadmin",
        ),
    ),
    "security_group": (
        lambda g: r.SecurityGroup(g.name, g.vpc_id, g.tags),
        lambda g: r.SecurityGroup(g.name, g.vpc_id, g.tags | {"Name": "another"}),
    ),
    "validation_record": (
        lambda g: r.ValidationRecord(g.zone, f"_1.{g.zone}.", "_2.acm-validations.aws."),
        lambda g: r.ValidationRecord(g.zone, f"_1.{g.zone}.", "_3.acm-validations.aws."),
    ),
}
