"""As much of an account and a site as the second judge can carry: up, changed, put right, down.

What it lacks is left out of the stacks, and stood in for where something is built from it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ClientError

from cloudadmin.aws import Access, Clients
from sites.provisioning import Done, Stack, State
from sites.provisioning.resources import TYPES
from tests.localcloud import http
from tests.sites.provisioning.conftest import World, package
from tests.sites.provisioning.inventory import inventory
from tests.sites.provisioning.judges import MOTO

# What the inventory asks for and moto cannot list: how it is asked, and how it is answered here.
UNLISTED: dict[tuple[str, str], tuple[dict[str, Any], dict[str, Any]]] = {
    ("cloudfront", "list_cache_policies"): ({}, {"CachePolicyList": {}}),
    ("cloudfront", "list_origin_request_policies"): ({}, {"OriginRequestPolicyList": {}}),
    ("cloudfront", "list_response_headers_policies"): ({}, {"ResponseHeadersPolicyList": {}}),
    ("lambda_", "get_account_settings"): (
        {},
        {"AccountLimit": {"ConcurrentExecutions": 1000, "UnreservedConcurrentExecutions": 1000}},
    ),
    ("lambda_", "list_function_url_configs"): ({"FunctionName": "any"}, {"FunctionUrlConfigs": []}),
}
# The zone is the person's own, and counters cannot be counted again.
REMAINS = Counter(
    ["record zone-SITE.com. NS", "record zone-SITE.com. SOA", "snapshot of cloudadmin-ACCOUNT"]
)


def lacking(stack: Stack) -> dict[str, State]:
    """Stand-ins for the steps that moto cannot carry."""
    names = [step.logical_id for step in stack.steps]
    return {
        name: State(name, attributes={"arn": f"{name}-arn"})
        for name in names
        if name.partition(".")[0] in MOTO.lacks
    }


def carried(stack: Stack, stand_ins: dict[str, State]) -> Stack:
    steps = [step for step in stack.steps if step.logical_id not in stand_ins]
    return Stack(tuple(steps), {**stand_ins, **stack.shared})


@dataclass
class Carried(World):
    @property
    def account_stack(self) -> Stack:
        stack = super().account_stack
        return carried(stack, lacking(stack))

    @property
    def site_stack(self) -> Stack:
        stack = super().site_stack
        return carried(stack, lacking(super().account_stack) | lacking(stack))

    def inventory(self) -> Counter[str]:
        return inventory(self.clients, self.site.uid)


def answering(answer: dict[str, Any]) -> Any:
    """A handler in whose presence nothing is sent."""
    no_headers: Any = {}
    return lambda **_: (AWSResponse("", 200, no_headers, None), answer)


@pytest.fixture
def clients(moto: str) -> Clients:
    """Of an account in which there is nothing."""
    http.post(f"{moto}/moto-api/reset").raise_for_status()
    clients = Clients(Access(region="us-east-1", endpoint_url=moto))
    for (service, method), (_, answer) in UNLISTED.items():
        meta = getattr(clients, service).meta
        operation = meta.method_to_api_mapping[method]
        meta.events.register(f"before-call.*.{operation}", answering(answer))
    return clients


@pytest.fixture
def world(world: World) -> Carried:
    return Carried(world.clients, world.counter_package, world.site)


def assert_as_desired(world: Carried) -> None:
    """Nothing is to be changed but what moto forgets, and there is one of each thing."""
    changes = [
        (change.logical_id, frozenset(change.differences)) for change in world.plan().effective
    ]
    assert changes == [("distribution", MOTO.forgets["distribution"])]
    assert set(world.inventory().values()) == {1}


@pytest.mark.parametrize("service_and_method", UNLISTED, ids=lambda pair: pair[1])
def test_what_moto_cannot_list(moto: str, service_and_method: tuple[str, str]):
    service, method = service_and_method
    client = getattr(Clients(Access(region="us-east-1", endpoint_url=moto)), service)
    with pytest.raises(ClientError, match=r"\(404\)"):
        getattr(client, method)(**UNLISTED[service_and_method][0])


def test_up_and_down(world: Carried):
    assert {change.action for change in world.plan().effective} == {"create"}
    assert world.converge() == Done()
    rows = [*world.account_store.rows.values(), *world.site_store.rows.values()]
    assert {row.type for row in rows} == TYPES.keys() - MOTO.lacks.keys()
    assert_as_desired(world)
    assert world.vanish() == Done()
    assert world.inventory() == REMAINS


def test_changed_it_is_as_desired_again(world: Carried, tmp_path: Path):
    world.converge()
    apex = world.site.domains[0]
    world.site = replace(
        world.site,
        name="renamed",
        domains=(apex, f"new.{apex}"),
        price_class="PriceClass_All",
    )
    world.counter_package = package(tmp_path, "def handler(event, context):\n    return {}")
    assert world.converge() == Done()
    assert_as_desired(world)
    assert "certificate ISSUED new.zone-SITE.com zone-SITE.com" in world.inventory()
    world.site = replace(world.site, domains=(), has_counter=False)
    assert world.converge() == Done()
    assert_as_desired(world)
    assert world.vanish() == Done()
    assert world.inventory() == REMAINS


def test_drift_is_put_right(world: Carried):
    world.converge()
    rows = world.site_store.rows
    world.clients.s3.delete_public_access_block(Bucket=rows["bucket"].physical_id)
    world.clients.iam.delete_role_policy(RoleName=rows["role"].physical_id, PolicyName="cloudadmin")
    world.clients.lambda_.delete_function_url_config(
        FunctionName=rows["lambda_function"].physical_id
    )
    changed = {change.logical_id for change in world.plan().effective}
    assert changed == {"bucket", "role", "function_url", "distribution"}
    assert world.converge() == Done()
    assert_as_desired(world)
