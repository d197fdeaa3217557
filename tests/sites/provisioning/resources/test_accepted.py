"""What was changed on AWS and accepted is wanted from then on, whatever else is changed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cloudadmin.aws import Clients
from sites.provisioning.documents import at
from sites.provisioning.drift import Drift, accepting, compare, kept
from sites.provisioning.drift.rules import FIXED
from sites.provisioning.records import Record
from sites.provisioning.resources.base import Resource, State
from sites.provisioning.resources.security_group import RULE
from tests.sites.provisioning.conftest import package
from tests.sites.provisioning.resources.cases import CASES, Ground
from tests.sites.provisioning.resources.test_contract import gone, lay, ready, type_of

DENY = {"Effect": "Deny", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::x/*"}
TRUST = {
    "Effect": "Allow",
    "Principal": {"Service": "edgelambda.amazonaws.com"},
    "Action": "sts:AssumeRole",
}
# What people change on AWS, by case: each is accepted in turn.
CHANGES: dict[str, list[tuple[str, Any]]] = {
    "bucket": [
        ("PublicAccessBlock.BlockPublicAcls", False),
        ("PublicAccessBlock", None),
        ("OwnershipControls.Rules", [{"ObjectOwnership": "ObjectWriter"}]),
        ("Lifecycle.Rules", None),
        ("Tags.cloudadmin:managed-by", None),
    ],
    "bucket_policy": [("Policy.Statement", [DENY | {"Principal": "*"}])],
    "cache_policy": [("DefaultTTL", 5), ("MinTTL", 0)],
    "db_instance": [
        ("BackupRetentionPeriod", 30),
        ("DeletionProtection", False),
        ("PubliclyAccessible", True),
        ("IAMDatabaseAuthenticationEnabled", False),
        ("Tags.cloudadmin:managed-by", "somebody"),
    ],
    "distribution": [
        ("Enabled", False),
        ("HttpVersion", "http2"),
        ("IsIPV6Enabled", False),
        ("DefaultCacheBehavior.Compress", False),
        ("DefaultCacheBehavior.ViewerProtocolPolicy", "allow-all"),
        ("DefaultCacheBehavior.FunctionAssociations.Items", None),
        ("CustomErrorResponses.Items", None),
        ("Tags.cloudadmin:managed-by", "somebody"),
    ],
    "lambda_function": [
        ("MemorySize", 512),
        ("Timeout", 9),
        ("Handler", "other.handler"),
        ("Environment.SITE_UID", "other"),
        ("Environment.SITE_UID", None),
        ("Tags.a", "other"),
    ],
    "log_group": [("retentionInDays", 7), ("retentionInDays", 0)],
    "origin_access_control": [("SigningBehavior", "never")],
    "origin_request_policy": [("QueryStringsConfig.QueryStringBehavior", "none")],
    "permission_boundary": [("Document.Statement", [DENY])],
    "response_headers_policy": [
        ("SecurityHeadersConfig.FrameOptions.FrameOption", "DENY"),
        ("SecurityHeadersConfig.FrameOptions", None),
    ],
    "role": [
        ("Policy.Statement", [DENY]),
        ("AssumeRolePolicyDocument.Statement", [TRUST]),
        ("Tags.Name", "other"),
    ],
    "security_group": [
        ("IpPermissions", ["tcp 22:22 ::/0", "tcp 5432:5432 10.0.0.0/8", RULE]),
        ("IpPermissions", []),
        ("Tags.Name", "other"),
    ],
}
# Nothing of these can be changed on AWS, but for what cannot be accepted.
NOTHING = {"certificate", "db_subnet_group", "key_value_store", "function_url"}


@pytest.fixture(scope="module")
def clients(clients_of: dict[str, Clients]) -> Clients:
    return clients_of["ministack"]


@pytest.fixture(scope="module")
def ground(clients: Clients, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    path: Path = package(tmp_path_factory.mktemp("code"))
    ground = lay(clients, path)
    yield ground
    for resource in (ground.function, ground.role, ground.bucket):
        gone(resource, clients)


def test_every_type_is_changed_or_cannot_be_accepted():
    fixed = {type_ for type_, prefix in FIXED if not prefix}
    assert set(map(type_of, CASES)) == set(map(type_of, CHANGES)) | fixed | NOTHING


def recorded(resource: Resource, state: State) -> Record:
    inputs = json.loads(json.dumps(resource.inputs()))
    return Record(resource.type, inputs, state.physical_id, state.properties, state.attributes)


def found(resource: Resource, clients: Clients, state: State) -> State:
    state = ready(resource, clients, state)
    again = resource.read(clients, state.physical_id)
    assert again is not None
    return again


def settled(resource: Resource, clients: Clients, state: State) -> State:
    """Updated until nothing is left to change, as passes do."""
    for _ in range(5):
        state = found(resource, clients, state)
        if not resource.changes(state):
            return state
        state = resource.update(clients, state)
    raise AssertionError(resource.changes(state))


@pytest.mark.parametrize(
    ("case", "path", "value"),
    [
        pytest.param(case, path, value, id=f"{case} {path} {index}")
        for case, changes in CHANGES.items()
        for index, (path, value) in enumerate(changes)
    ],
)
def test_accepted(case: str, path: str, value: Any, ground: Ground, clients: Clients, uid: str):
    make, make_otherwise = CASES[case]
    ground = replace(ground, name=f"cloudadmin-{uid}")
    resource = make(ground)
    state = found(resource, clients, resource.create(clients))
    record = recorded(resource, state)

    # Somebody changes it on AWS.
    meant = Drift(case, resource.type, "", path, actual=value)
    theirs = resource.with_accepted(accepting([meant], path))
    state = settled(theirs, clients, state)
    drifts = compare(case, record, state)
    assert [(drift.path, drift.actual) for drift in drifts] == [(path, value)]
    assert not drifts[0].fixed

    # Accepted, it is no change any more, and stays when something else is changed.
    accepted = accepting(drifts, path)
    record = replace(record, accepted=accepted)
    assert compare(case, record, state) == ()
    otherwise = make_otherwise(ground).with_accepted(accepted) if make_otherwise else None
    if otherwise and kept(otherwise, record, [path]):
        assert otherwise.changes(state)
        state = settled(otherwise, clients, state)
        assert at(state.properties, path) == value

    # And when it is made anew.
    gone(resource, clients, state.physical_id)
    anew = record.resource
    state = settled(anew, clients, anew.create(clients))
    assert at(state.properties, path) == value
    gone(resource, clients, state.physical_id)
