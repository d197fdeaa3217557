"""The list of grants before moto's IAM: what it refuses is in the list, and is all that is missing.

It starts from nothing. Each refusal names an action, which is granted if the list has it, and the
verb is tried again: so every action that ends up granted is one without which the life fails.

moto asks for actions alone, not for resources or conditions, and cannot check the signatures of
requests without a body. That leaves the services which put everything into one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from cloudadmin.aws import Access, Clients, new_session
from sites.provisioning import resources as r
from sites.provisioning.permissions import GRANTS
from sites.provisioning.resources import Resource
from tests.localcloud import http

ACCOUNT = "123456789012"
NAME = "cloudadmin-0123456789ab"
TAGS = {"Name": "site", "cloudadmin:site": "0123456789ab"}
EVERYTHING = frozenset({"*"})
RESOURCES = (
    r.Certificate(NAME, ("site.example",), TAGS),
    r.DbInstance(NAME, "counter", "cloudadmin", TAGS),
    r.LogGroup(f"/aws/lambda/{NAME}", 14, TAGS),
    r.PermissionBoundary(NAME, ACCOUNT, TAGS),
    r.Role(
        NAME,
        f"arn:aws:iam::{ACCOUNT}:policy/{NAME}",
        f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:/aws/lambda/{NAME}",
        f"arn:aws:rds-db:us-east-1:{ACCOUNT}:dbuser:db-1/cloudadmin",
        TAGS,
    ),
)


class UserClients(Clients):
    """Those of an IAM user of its own, who may do nothing at first."""

    def __init__(self, clients: Clients, user_name: str) -> None:
        super().__init__(clients.access)
        clients.iam.create_user(UserName=user_name)
        self.key = clients.iam.create_access_key(UserName=user_name)["AccessKey"]

    @cached_property
    def _session(self) -> boto3.Session:
        return new_session(self.region, self.key["AccessKeyId"], self.key["SecretAccessKey"])


def grant(clients: Clients, user_name: str, actions: frozenset[str]) -> None:
    statement = {"Effect": "Allow", "Action": sorted(actions), "Resource": "*"}
    clients.iam.put_user_policy(
        UserName=user_name,
        PolicyName="granted",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
    )


@dataclass
class Guarded:
    """An account that asks for permissions; ``ours`` are granted by ``admin``."""

    admin: Clients
    ours: Clients
    granted: frozenset[str] = field(default=frozenset())

    def permitted(self, verb: Callable[..., Any], listed: frozenset[str], *arguments: Any) -> Any:
        """What the verb answers once everything is granted that it is refused for."""
        while True:
            try:
                return verb(self.ours, *arguments)
            except ClientError as error:
                refused = re.search(r"not authorized to perform: ([\w:]+)", str(error))
                if not refused:
                    raise
                action = refused[1]
            assert action in listed - self.granted
            self.granted |= {action}
            grant(self.admin, "ours", self.granted)


@pytest.fixture
def guarded(moto: str) -> Iterator[Guarded]:
    def ask_for_permissions_after(calls: str) -> None:
        http.post(
            f"{moto}/moto-api/reset-auth",
            content=calls,
            headers={"Content-Type": "application/octet-stream"},
        ).raise_for_status()

    http.post(f"{moto}/moto-api/reset").raise_for_status()
    root = Clients(Access(region="us-east-1", endpoint_url=moto))
    guarded = Guarded(UserClients(root, "admin"), UserClients(root, "ours"))
    grant(root, "admin", EVERYTHING)
    ask_for_permissions_after("0")
    yield guarded
    ask_for_permissions_after("inf")


@pytest.mark.parametrize("resource", RESOURCES, ids=lambda resource: resource.type)
def test_what_is_asked_for_is_listed(guarded: Guarded, resource: Resource):
    listed = frozenset(
        action
        for grant in GRANTS
        if not grant.types or resource.type in grant.types
        for action in grant.actions
    )
    assert guarded.permitted(resource.read, listed) is None
    guarded.permitted(resource.create, listed)
    state = guarded.permitted(resource.read, listed)
    guarded.permitted(resource.update, listed, state)
    guarded.permitted(resource.delete, listed, state)
    remains = guarded.permitted(resource.read, listed)
    if remains is not None:  # its protection was lifted first
        guarded.permitted(resource.delete, listed, remains)
    assert guarded.permitted(resource.read, listed) is None
    assert len(guarded.granted) > 3
