"""Whether the account has room and lets us: quotas and permissions."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import pytest

from cloudadmin.aws import Access, ClientError, Clients
from sites.provisioning.permissions import GRANTS, policy
from sites.provisioning.plan import Plan, Update
from sites.provisioning.preflight import Look
from sites.provisioning.preflight.permissions import _principal, permissions
from sites.provisioning.preflight.quotas import QUOTAS, Quota, quotas
from tests.sites.provisioning.test_preflight import FakeDns, plan

# --- Quotas -----------------------------------------------------------------------------------


@dataclass
class FakeQuotas:
    value: float | None

    def get_service_quota(self, **_: str) -> Any:
        if self.value is None:
            raise ClientError({"Error": {"Code": "AccessDenied"}}, "GetServiceQuota")
        return {"Quota": {"Value": self.value}}


@dataclass
class FakeClients:
    service_quotas: FakeQuotas


@pytest.mark.parametrize(
    ("used", "limit", "blocks"),
    [
        (9, None, None),  # not even half of AWS's default: nobody is asked
        (19, 20.0, None),
        (19, None, None),
        (20, 20.0, True),
        (20, 40.0, None),
        (15, 15.0, True),  # an account may have less
        (20, None, False),  # a default may have been raised
    ],
)
def test_what_does_not_fit_blocks_where_aws_named_the_quota(
    monkeypatch, used: int, limit: float | None, blocks: bool | None
):
    quota = Quota("policies", "cloudfront", "L-1", 20, lambda look: used)
    monkeypatch.setitem(QUOTAS, "response_headers_policy", quota)
    look: Any = Look(FakeClients(FakeQuotas(limit)), FakeDns({}))  # type: ignore[arg-type]
    found = [*quotas(look, plan(response_headers_policy=1), ())]
    assert [finding.blocks for finding in found] == ([] if blocks is None else [blocks])
    assert all(f"{used + 1} policies are needed" in finding.said for finding in found)


def test_the_emulators_account_is_counted_by_its_own_lists(clients: Clients):
    look = Look(clients, FakeDns({}))
    used = {quota.things: quota.used(look) for quota in QUOTAS.values()}
    found = {each.about for each in quotas(look, plan(**dict.fromkeys(QUOTAS, 1)), ())}
    # Other tests leave things in the emulator's one account.
    assert found == {q.things for q in QUOTAS.values() if used[q.things] + 1 > q.default}


def test_names_of_one_certificate_are_counted(clients: Clients):
    domains = tuple(f"n{n}.example.org" for n in range(11))
    (finding,) = quotas(Look(clients, FakeDns({})), plan(*domains), domains)
    assert not finding.blocks
    assert "11 names of one certificate are needed" in finding.said


@pytest.mark.parametrize(
    ("limit", "unreserved", "said"),
    [
        (10, 10, "runs 10 functions at once in this account, as in every new one"),
        (1000, 104, "has reserved 896; AWS keeps the other 104"),
        (1000, 105, ""),
    ],
)
def test_an_account_without_room_to_reserve_is_told_and_not_stopped(limit, unreserved, said):
    def settings() -> Any:
        limits = {"ConcurrentExecutions": limit, "UnreservedConcurrentExecutions": unreserved}
        return {"AccountLimit": limits}

    clients: Any = SimpleNamespace(lambda_=SimpleNamespace(get_account_settings=settings))
    found = [*quotas(Look(clients, FakeDns({})), plan(lambda_function=1), ())]
    assert [said in finding.said for finding in found] == ([True] if said else [])
    assert not any(finding.blocks for finding in found)


@pytest.mark.parametrize("has_room", [False, True])
def test_more_slots_without_room_to_reserve_are_told_and_not_stopped(has_room):
    differences = {"Environment.SLOTS": ("1", "8")}
    more = {"ReservedConcurrentExecutions": (5, 12)} if has_room else {}
    change = Update("lambda_function", "lambda_function", "f", differences={**differences, **more})
    look: Any = None  # nothing is asked
    found = [*quotas(look, Plan((change,)), ())]
    assert ["slots change" in finding.said for finding in found] == ([] if has_room else [True])
    assert not any(finding.blocks for finding in found)


# --- Permissions ------------------------------------------------------------------------------

TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"},
    ],
}
TYPES = {type_ for grant in GRANTS for type_ in grant.types}


@pytest.fixture
def role(clients: Clients, uid: str) -> Iterator[str]:
    """The ARN of a role without any permission."""
    made = clients.iam.create_role(RoleName=uid, AssumeRolePolicyDocument=json.dumps(TRUST))
    yield made["Role"]["Arn"]
    for name in clients.iam.list_role_policies(RoleName=uid)["PolicyNames"]:
        clients.iam.delete_role_policy(RoleName=uid, PolicyName=name)
    clients.iam.delete_role(RoleName=uid)


def of_role(clients: Clients, role: str) -> Look:
    access = Access("us-east-1", role_arn=role, endpoint_url=clients.access.endpoint_url)
    return Look(Clients(access), FakeDns({}))


# The emulator's simulator knows no context, so nothing with a condition passes there.
UNCONDITIONAL = [replace(grant, condition={}) for grant in GRANTS]


def test_a_role_with_our_policy_may_do_all(clients: Clients, role: str, uid: str):
    clients.iam.put_role_policy(
        RoleName=uid, PolicyName="all", PolicyDocument=json.dumps(policy(UNCONDITIONAL))
    )
    assert [*permissions(of_role(clients, role), TYPES, "cloudadmin-1")] == []


def test_what_a_role_may_not_do_is_named(clients: Clients, role: str, uid: str):
    less = [
        replace(grant, actions=grant.actions[1:])
        for grant in UNCONDITIONAL
        if len(grant.actions) > 1
    ]
    clients.iam.put_role_policy(
        RoleName=uid, PolicyName="less", PolicyDocument=json.dumps(policy(less))
    )
    (finding,) = permissions(of_role(clients, role), {"distribution"}, "cloudadmin-1")
    assert finding.blocks
    assert role in finding.said
    for action in ("CreateCachePolicy", "CreateInvalidation", "DeleteDistribution"):
        assert f"cloudfront:{action}" in finding.said
    assert "UpdateDistribution" not in finding.said
    assert "lambda:" not in finding.said


def test_conditions_are_asked_about_as_they_will_be(clients: Clients, role: str):
    look = of_role(clients, role)
    asked: list[Any] = []
    look.clients.iam.meta.events.register(
        "provide-client-params.iam.SimulatePrincipalPolicy",
        lambda params, **_: asked.append(params),
    )
    list(permissions(look, {"role", "db_instance"}, "cloudadmin-1"))
    by_action = {params["ActionNames"][0]: params for params in asked}
    made = by_action["iam:CreateRole"]
    assert made["ResourceArns"] == ["arn:aws:iam::000000000000:role/cloudadmin/cloudadmin-1-0"]
    (boundary,) = made["ContextEntries"]
    assert boundary["ContextKeyName"] == "iam:PermissionsBoundary"
    assert boundary["ContextKeyValues"] == ["arn:aws:iam::000000000000:policy/cloudadmin-1-0"]
    (database,) = (each for each in asked if "rds:ModifyDBInstance" in each["ActionNames"])
    assert database["ResourceArns"][0] == "arn:aws:rds:us-east-1:000000000000:db:cloudadmin-1-0"


@pytest.mark.parametrize(
    ("arn", "principal"),
    [
        ("arn:aws:iam::1:root", ""),
        ("arn:aws:iam::1:user/a/b", "arn:aws:iam::1:user/a/b"),
        ("arn:aws:sts::1:assumed-role/worker/i-1", "arn:aws:iam::1:role/worker"),
        ("arn:aws-cn:sts::1:assumed-role/worker/i-1", "arn:aws-cn:iam::1:role/worker"),
    ],
)
def test_whose_policies_decide(clients: Clients, monkeypatch, arn: str, principal: str):
    sts = clients.sts
    monkeypatch.setattr(sts, "get_caller_identity", lambda: {"Arn": arn})
    assert _principal(clients) == principal


def test_the_root_user_is_not_asked_about(clients: Clients):
    assert clients.sts.get_caller_identity()["Arn"].endswith(":root")
    assert [*permissions(Look(clients, FakeDns({})), TYPES, "cloudadmin-1")] == []
