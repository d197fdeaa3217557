"""What every resource keeps, against the emulator."""

from __future__ import annotations

import uuid
from base64 import b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from cloudadmin.aws import Clients
from sites.provisioning import resources as r
from sites.provisioning.resources.base import Resource, State
from sites.provisioning.resources.function_permission import CALL_ACTION, URL_ACTION
from tests.sites.provisioning.conftest import package

ARN = "arn:aws:cloudfront::000000000000:distribution/E1"
PASSES = 2000


@dataclass(frozen=True)
class Ground:
    """What resources stand on: a bucket with a function's code in it, and that function."""

    name: str
    zone: str
    account_id: str
    path: Path
    bucket: r.Bucket
    function: r.LambdaFunction

    @property
    def tags(self) -> dict[str, str]:
        return {"Name": self.name, "cloudadmin:managed-by": "cloudadmin"}

    def lambda_function(self, name: str) -> r.LambdaFunction:
        return replace(self.function, name=name)


@pytest.fixture(scope="module")
def shared_ground(clients: Clients, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    uid = uuid.uuid4().hex[:12]
    account_id = clients.sts.get_caller_identity()["Account"]
    name, zone = f"cloudadmin-{uid}", f"zone-{uid}.com"
    clients.route53.create_hosted_zone(Name=zone, CallerReference=uid)
    path = package(tmp_path_factory.mktemp("code"))
    code = path.read_bytes()
    bucket = r.Bucket(f"{name}-ground", "us-east-1", {"a": "b"})
    bucket.create(clients)
    clients.s3.put_object(Bucket=bucket.name, Key="code.zip", Body=code)
    function = r.LambdaFunction(
        name=f"{name}-ground",
        role_arn=f"arn:aws:iam::{account_id}:role/cloudadmin/any",
        bucket_name=bucket.name,
        key="code.zip",
        code_sha256=b64encode(sha256(code).digest()).decode(),
        environment={"SITE_UID": uid},
        tags={"a": "b"},
        subnet_ids=[],
        security_group_ids=[],
    )
    ready(function, clients, function.create(clients))
    yield Ground(name, zone, account_id, path, bucket, function)
    for resource in (function, bucket):
        state = resource.read(clients)
        if state is not None:
            resource.delete(clients, state)


@pytest.fixture
def ground(shared_ground: Ground, uid: str) -> Ground:
    return replace(shared_ground, name=f"cloudadmin-{uid}")


def ready(resource: Resource, clients: Clients, state: State) -> State:
    """Read until it is ready. The emulator needs some reads, not minutes."""
    for _ in range(PASSES):
        if state.ready:
            return state
        found = resource.read(clients, state.physical_id)
        assert found is not None
        state = found
    raise AssertionError(f"still {state.aws_status}: {state.waiting_for}")


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


def role(g: Ground) -> r.Role:
    return r.Role(
        name=g.name,
        permission_boundary_arn=f"arn:aws:iam::{g.account_id}:policy/any",
        log_group_arn=f"arn:aws:logs:us-east-1:{g.account_id}:log-group:{g.name}",
        database_user_arn=f"arn:aws:rds-db:us-east-1:{g.account_id}:dbuser:db-1/cloudadmin",
        tags=g.tags,
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
    "certificate": (lambda g: r.Certificate(g.name, (g.zone, f"www.{g.zone}"), g.tags), None),
    "counter_schema": (lambda g: r.CounterSchema(g.function.name), None),
    "db_instance": (
        lambda g: r.DbInstance(g.name, "counter", "cloudadmin", g.tags),
        lambda g: r.DbInstance(g.name, "counter", "cloudadmin", g.tags, deletion_protection=False),
    ),
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
    "role": (role, lambda g: replace(role(g), database_user_arn="arn:aws:rds-db:x:y:dbuser:z/u")),
    "validation_record": (
        lambda g: r.ValidationRecord(g.zone, f"_1.{g.zone}.", "_2.acm-validations.aws."),
        lambda g: r.ValidationRecord(g.zone, f"_1.{g.zone}.", "_3.acm-validations.aws."),
    ),
}


def gone(resource: Resource, clients: Clients, state: State) -> None:
    for _ in range(PASSES):
        remains = resource.delete(clients, state)
        if remains is None:
            return
        found = resource.read(clients)
        if found is None:
            return
        state = found
    raise AssertionError(f"still there: {state}")


def test_every_type_has_a_case():
    assert {name.partition(" ")[0] for name in CASES} == set(r.TYPES)


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> tuple[Make, Make | None]:
    return CASES[request.param]


def test_contract(case: tuple[Make, Make | None], ground: Ground, clients: Clients):
    make, make_otherwise = case
    resource = make(ground)
    assert resource.read(clients) is None

    created = ready(resource, clients, resource.create(clients))
    assert created.physical_id
    assert resource.changes(created) == {}

    again = created
    if not isinstance(resource, r.Certificate):  # The emulator ignores its IdempotencyToken.
        again = ready(resource, clients, resource.create(clients))
    assert again.physical_id == created.physical_id
    for known_id in ("", created.physical_id):
        found = resource.read(clients, known_id)
        assert found is not None
        assert (found.physical_id, found.attributes) == (again.physical_id, again.attributes)

    if make_otherwise:
        resource = make_otherwise(ground)
        assert resource.changes(again)
        again = ready(resource, clients, resource.update(clients, again))
        assert resource.changes(again) == {}
        assert again.physical_id == created.physical_id

    recorded = type(resource).from_inputs(resource.inputs())
    gone(recorded, clients, again)
    assert recorded.read(clients) is None
    assert recorded.read(clients, created.physical_id) is None
    assert recorded.delete(clients, again) is None


class Refused:
    """Every call of every service is answered 403."""

    SERVICES = ("acm", "cloudfront", "iam", "lambda_", "logs", "rds", "route53", "s3")

    def __getattr__(self, name: str) -> Any:
        return self if name in self.SERVICES else self._refuse

    def _refuse(self, *_: Any, **__: Any) -> None:
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "Any")


def test_read_refused_is_not_missing(case: tuple[Make, Make | None], ground: Ground):
    clients: Any = Refused()
    with pytest.raises(ClientError, match="AccessDenied"):
        case[0](ground).read(clients)
