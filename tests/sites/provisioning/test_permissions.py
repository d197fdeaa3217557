"""The policy allows what is called, and nothing by a star."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from botocore import xform_name
from botocore.loaders import Loader
from django.conf import settings
from django.core.management import call_command

from cloudadmin.aws import Access, Clients
from sites.provisioning import Done
from sites.provisioning.permissions import COUNTER_GRANTS, GRANTS, SITE_GRANTS, policy
from tests.sites.provisioning.conftest import World

# The attribute of Clients, the service as botocore calls it, and its prefix in IAM.
SERVICES = {
    "acm": ("acm", "acm"),
    "cloudfront": ("cloudfront", "cloudfront"),
    "cloudwatch": ("cloudwatch", "cloudwatch"),
    "ec2": ("ec2", "ec2"),
    "iam": ("iam", "iam"),
    "keyvaluestore": ("cloudfront-keyvaluestore", "cloudfront-keyvaluestore"),
    "lambda_": ("lambda", "lambda"),
    "logs": ("logs", "logs"),
    "rds": ("rds", "rds"),
    "route53": ("route53", "route53"),
    "s3": ("s3", "s3"),
    "service_quotas": ("service-quotas", "servicequotas"),
    "sts": ("sts", "sts"),
}
# Where the action is not called as the operation is, or is not alone.
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html
ACTIONS = {
    "acm:RequestCertificate": "acm:RequestCertificate acm:AddTagsToCertificate",
    "cloudfront:CreateDistributionWithTags": "cloudfront:CreateDistribution cloudfront:TagResource",
    "cloudfront:CreateKeyValueStore": "cloudfront:CreateKeyValueStore cloudfront:TagResource",
    "iam:CreatePolicy": "iam:CreatePolicy iam:TagPolicy",
    "iam:CreateRole": "iam:CreateRole iam:TagRole",
    "lambda:CreateFunction": "lambda:CreateFunction lambda:TagResource iam:PassRole s3:GetObject",
    "lambda:Invoke": "lambda:InvokeFunction",
    "logs:CreateLogGroup": "logs:CreateLogGroup logs:TagResource",
    "rds:CreateDBInstance": "rds:CreateDBInstance rds:AddTagsToResource",
    "rds:DeleteDBInstance": "rds:DeleteDBInstance rds:CreateDBSnapshot",
    "s3:CopyObject": "s3:GetObject s3:PutObject",
    "s3:DeleteBucketEncryption": "s3:PutEncryptionConfiguration",
    "s3:DeleteBucketLifecycle": "s3:PutLifecycleConfiguration",
    "s3:DeleteBucketOwnershipControls": "s3:PutBucketOwnershipControls",
    "s3:DeleteObjects": "s3:DeleteObject s3:DeleteObjectVersion",
    "s3:DeletePublicAccessBlock": "s3:PutBucketPublicAccessBlock",
    "s3:GetBucketEncryption": "s3:GetEncryptionConfiguration",
    "s3:GetBucketLifecycleConfiguration": "s3:GetLifecycleConfiguration",
    "s3:GetPublicAccessBlock": "s3:GetBucketPublicAccessBlock",
    "s3:HeadBucket": "s3:ListBucket",
    "s3:HeadObject": "s3:GetObject",
    "s3:ListBuckets": "s3:ListAllMyBuckets",
    "s3:ListMultipartUploads": "s3:ListBucketMultipartUploads",
    "s3:ListObjectVersions": "s3:ListBucketVersions",
    "s3:ListObjectsV2": "s3:ListBucket",
    "s3:PutBucketEncryption": "s3:PutEncryptionConfiguration",
    "s3:PutBucketLifecycleConfiguration": "s3:PutLifecycleConfiguration",
    "s3:PutPublicAccessBlock": "s3:PutBucketPublicAccessBlock",
}
# What libcurl sends.
UPLOADS = {"s3:PutObject"}
ALLOWED = {action for grant in GRANTS for action in grant.actions}


@cache
def operations_of(service: str) -> dict[str, str]:
    """AWS's names of a service's operations, by Python's."""
    model = Loader().load_service_model(service, "service-2")
    return {xform_name(name): name for name in model["operations"]}


def actions_of(name: str, operation: str) -> set[str]:
    key = f"{SERVICES[name][1]}:{operation}"
    return set(ACTIONS.get(key, key).split())


def written_calls(source: str) -> Iterator[tuple[str, str]]:
    """Every ``….cloudfront.list_functions``, and every operation that is named beside its client,
    as in ``pages(clients.acm, "list_certificates")`` and ``….acm.get_paginator("…")``."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Attribute(value=receiver, attr=method):
                yield from known_call(receiver, method)
            case ast.Call(func=ast.Attribute(value=receiver), args=[ast.Constant(str(method)), *_]):
                yield from known_call(receiver, method)
            case ast.Call(args=[receiver, ast.Constant(str(method)), *_]):
                yield from known_call(receiver, method)


def known_call(receiver: ast.expr, method: str) -> Iterator[tuple[str, str]]:
    match receiver:
        case ast.Attribute(attr=name) | ast.Name(id=name) if name in SERVICES:
            operations = operations_of(SERVICES[name][0])
            if method in operations:
                yield name, operations[method]


def test_whatever_is_called_in_the_source_is_allowed():
    called = {
        action
        for folder in ("sites", "deployments")
        for path in (settings.BASE_DIR / folder).rglob("*.py")
        for name, operation in written_calls(path.read_text())
        for action in actions_of(name, operation)
    }
    assert len(called) > 80
    assert called | UPLOADS <= ALLOWED, sorted(called - ALLOWED)


class NotingClients(Clients):
    """Notes each call that is made."""

    def __init__(self, access: Access) -> None:
        super().__init__(access)
        self.called: set[str] = set()

    def _client(self, service, region=None):
        client = super()._client(service, region)
        (name,) = (name for name, (known, _) in SERVICES.items() if known == service)
        client.meta.events.register(
            "before-call", lambda model, **_: self.called.update(actions_of(name, model.name))
        )
        return client


def test_whatever_a_site_calls_in_its_life_is_allowed(world: World):
    clients = world.clients = NotingClients(world.clients.access)
    assert world.converge() == Done()
    assert world.vanish() == Done()
    assert len(clients.called) > 60
    assert clients.called <= ALLOWED, sorted(clients.called - ALLOWED)


@cache
def reference() -> Any:
    """As cfn-lint carries it, which is not imported: that takes seconds."""
    spec = find_spec("cfnlint")
    assert spec
    assert spec.origin
    path = Path(spec.origin).parent / "data" / "AdditionalSpecs" / "Policies.json"
    return json.loads(path.read_text())


@pytest.mark.parametrize("grant", GRANTS, ids=lambda grant: grant.sid)
def test_actions_exist_and_are_as_narrow_as_aws_lets_them_be(grant):
    """By AWS's own reference of actions and the resources that each can be limited to."""
    for action in grant.actions:
        service, _, name = action.partition(":")
        known = reference()[service]["Actions"][name.lower()]
        assert name.isalpha()
        if grant.types:
            assert (grant.resources != ("*",)) == ("Resources" in known), action


@pytest.mark.parametrize(
    ("grants", "file"),
    [(SITE_GRANTS, "iam-policy.json"), (COUNTER_GRANTS, "iam-policy-counter.json")],
)
def test_each_policy_fits_and_is_what_the_docs_show(grants, file, capsys):
    document = policy(grants)
    assert len(json.dumps(document, separators=(",", ":"))) <= 6144  # AWS counts no white space
    call_command("iam_policy", counter=grants is COUNTER_GRANTS)
    shown = (settings.BASE_DIR / "docs" / file).read_text()
    assert shown == capsys.readouterr().out
    assert json.loads(shown) == document
