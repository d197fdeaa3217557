"""What every resource keeps, against each of the judges."""

from __future__ import annotations

import uuid
from base64 import b64encode
from collections.abc import Callable, Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from cloudadmin.aws import Clients
from sites.provisioning import resources as r
from sites.provisioning.resources.base import Resource, State
from tests.sites.provisioning.conftest import package
from tests.sites.provisioning.judges import JUDGES, Judge
from tests.sites.provisioning.resources.cases import CASES, Ground
from tests.sites.provisioning.resources.cases import role as role_named

PASSES = 2000


def type_of(case: str) -> str:
    return case.partition(" ")[0]


def judged(wanted: Callable[[Judge, str], bool]) -> pytest.MarkDecorator:
    """Every case before every judge, as far as that is wanted of the judge and the type."""
    return pytest.mark.parametrize(
        ("judge", "case"),
        [
            pytest.param(judge, case, id=f"{judge}-{case}")
            for judge in JUDGES
            for case in CASES
            if wanted(judge, type_of(case))
        ],
    )


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return package(tmp_path_factory.mktemp("code"))


@pytest.fixture(scope="module")
def grounds(clients_of: dict[str, Clients], path: Path) -> Iterator[dict[str, Ground]]:
    """By the name of the judge."""
    grounds = {name: lay(clients, path) for name, clients in clients_of.items()}
    yield grounds
    for name, ground in grounds.items():
        for resource in (ground.function, ground.role, ground.bucket):
            gone(resource, clients_of[name])


def lay(clients: Clients, path: Path) -> Ground:
    uid = uuid.uuid4().hex[:12]
    account_id = clients.sts.get_caller_identity()["Account"]
    name, zone = f"cloudadmin-{uid}", f"zone-{uid}.com"
    clients.route53.create_hosted_zone(Name=zone, CallerReference=uid)
    code = path.read_bytes()
    bucket = r.Bucket(f"{name}-ground", "us-east-1", {"a": "b"})
    bucket.create(clients)
    clients.s3.put_object(Bucket=bucket.name, Key="code.zip", Body=code)
    role = role_named(f"{name}-ground", account_id)
    function = r.LambdaFunction(
        name=f"{name}-ground",
        role_arn=role.create(clients).attributes["arn"],
        bucket_name=bucket.name,
        key="code.zip",
        code_sha256=b64encode(sha256(code).digest()).decode(),
        environment={"SITE_UID": uid},
        tags={"a": "b"},
        subnet_ids=[],
        security_group_ids=[],
    )
    ready(function, clients, function.create(clients))
    (vpc,) = clients.ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"]
    return Ground(name, zone, account_id, vpc["VpcId"], path, bucket, role, function)


@pytest.fixture
def ground(grounds: dict[str, Ground], judge: Judge, uid: str) -> Ground:
    return replace(grounds[judge.name], name=f"cloudadmin-{uid}")


def ready(resource: Resource, clients: Clients, state: State) -> State:
    """Read until it is ready. Emulators need some reads, not minutes."""
    for _ in range(PASSES):
        if state.ready:
            return state
        found = resource.read(clients, state.physical_id)
        assert found is not None
        state = found
    raise AssertionError(f"still {state.aws_status}: {state.waiting_for}")


def gone(resource: Resource, clients: Clients, known_id: str = "") -> None:
    """Delete until there is nothing to read."""
    for _ in range(PASSES):
        state = resource.read(clients, known_id)
        if state is None:
            return
        resource.delete(clients, state)
    raise AssertionError(f"still there: {state}")


def test_every_type_has_a_case():
    assert set(map(type_of, CASES)) == set(r.TYPES)


@judged(lambda judge, slug: slug not in judge.lacks)
def test_contract(judge: Judge, case: str, ground: Ground, clients: Clients):
    make, make_otherwise = CASES[case]
    resource = make(ground)
    as_desired = judge.forgotten(resource)
    assert resource.read(clients) is None

    created = ready(resource, clients, resource.create(clients))
    assert created.physical_id
    assert set(resource.changes(created)) == as_desired

    again = created
    if resource.type not in judge.doubles:
        again = ready(resource, clients, resource.create(clients))
    assert again.physical_id == created.physical_id
    for known_id in ("", created.physical_id):
        found = resource.read(clients, known_id)
        assert found is not None
        assert (found.physical_id, found.attributes) == (again.physical_id, again.attributes)

    if make_otherwise:
        resource = make_otherwise(ground)
        assert set(resource.changes(again)) > as_desired
        again = ready(resource, clients, resource.update(clients, again))
        assert set(resource.changes(again)) == as_desired
        assert again.physical_id == created.physical_id

    recorded = type(resource).from_inputs(resource.inputs())
    deleted(recorded, clients, again)
    assert recorded.read(clients) is None
    assert recorded.read(clients, created.physical_id) is None
    assert recorded.delete(clients, again) is None


def deleted(resource: Resource, clients: Clients, state: State) -> None:
    """Delete it once, however many passes that takes."""
    for _ in range(PASSES):
        if resource.delete(clients, state) is None:
            return
        found = resource.read(clients)
        if found is None:
            return
        state = found
    raise AssertionError(f"still there: {state}")


@judged(lambda judge, slug: slug in judge.doubles)
def test_what_a_judge_doubles(judge: Judge, case: str, ground: Ground, clients: Clients):
    resource = CASES[case][0](ground)
    first = resource.create(clients)
    second = resource.create(clients)
    # A twin of the same name is what a delete still finds.
    assert first.physical_id != second.physical_id or resource.delete(clients, second)
    deleted(resource, clients, second)
    gone(resource, clients)


@judged(lambda judge, slug: slug in judge.lacks)
def test_what_a_judge_lacks(judge: Judge, case: str, ground: Ground, clients: Clients):
    with pytest.raises((ClientError, KeyError)) as refusal:
        CASES[case][0](ground).create(clients)
    assert judge.lacks[case] in str(refusal.value)


class Refused:
    """Every call of every service is answered 403."""

    SERVICES = ("acm", "cloudfront", "ec2", "iam", "lambda_", "logs", "rds", "route53", "s3")

    def __getattr__(self, name: str) -> Any:
        return self if name in self.SERVICES else self._refuse

    def _refuse(self, *_: Any, **__: Any) -> None:
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "Any")


@pytest.mark.parametrize("case", CASES)
def test_read_refused_is_not_missing(case: str, grounds: dict[str, Ground]):
    clients: Any = Refused()
    with pytest.raises(ClientError, match="AccessDenied"):
        CASES[case][0](grounds["moto"]).read(clients)
