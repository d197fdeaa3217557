from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse

from cloudadmin.aws import Clients
from sites.provisioning.resources import Distribution
from sites.provisioning.resources.base import State
from tests.sites.provisioning.judges import Judge


@pytest.fixture
def distribution(uid: str) -> Distribution:
    return Distribution(
        name=f"cloudadmin-{uid}",
        bucket_domain_name="b.s3.us-east-1.amazonaws.com",
        origin_access_control_id="E1",
        response_headers_policy_id="p1",
        function_arn="arn:aws:cloudfront::000000000000:function/f",
        price_class="PriceClass_100",
        tags={"Name": "site"},
    )


def config_of(clients: Clients, state: State) -> Any:
    return clients.cloudfront.get_distribution_config(Id=state.physical_id)["DistributionConfig"]


def test_aliases_stay_while_a_certificate_is_waited_for(distribution, clients, judge: Judge):
    named = replace(distribution, aliases=("a.example",), certificate_arn="arn:aws:acm:1")
    state = named.create(clients)
    waiting = replace(distribution, aliases=None)
    current = waiting.read(clients)
    assert set(waiting.changes(current)) == judge.forgotten(waiting)
    state = replace(waiting, price_class="PriceClass_All").update(clients, current)
    assert config_of(clients, state)["Aliases"]["Items"] == ["a.example"]


def test_aliases_go_with_the_last_domain(distribution, clients):
    replace(distribution, aliases=("a.example",), certificate_arn="arn:aws:acm:1").create(clients)
    bare = replace(distribution, aliases=())
    state = bare.update(clients, bare.read(clients))
    assert config_of(clients, state)["Aliases"]["Quantity"] == 0


def test_a_caller_reference_that_aws_has_seen_is_adopted(distribution, clients):
    made = distribution.create(clients)
    event = "before-call.cloudfront.CreateDistributionWithTags"

    no_headers: Any = {}

    def refuse(**_: Any) -> Any:
        return AWSResponse("", 409, no_headers, None), {
            "Error": {"Code": "DistributionAlreadyExists", "Message": "seen"}
        }

    clients.cloudfront.meta.events.register(event, refuse)
    try:
        assert distribution.create(clients).physical_id == made.physical_id
    finally:
        clients.cloudfront.meta.events.unregister(event, refuse)


def test_update_keeps_what_others_set(distribution, clients, judge: Judge):
    state = distribution.create(clients)
    current = clients.cloudfront.get_distribution_config(Id=state.physical_id)
    acl = "arn:aws:wafv2:us-east-1:000000000000:global/webacl/mine/1"
    clients.cloudfront.update_distribution(
        Id=state.physical_id,
        IfMatch=current["ETag"],
        DistributionConfig=current["DistributionConfig"] | {"WebACLId": acl},
    )
    assert set(distribution.changes(distribution.read(clients))) == judge.forgotten(distribution)
    changed = replace(distribution, price_class="PriceClass_All")
    state = changed.update(clients, changed.read(clients))
    assert config_of(clients, state)["WebACLId"] == acl


def test_delete_disables_first(distribution, clients):
    calls: list[str] = []
    state = distribution.create(clients)

    def note(model: Any, **_: Any) -> None:
        calls.append(model.name)

    clients.cloudfront.meta.events.register("before-call.cloudfront", note)
    try:
        assert distribution.delete(clients, state) is None
    finally:
        clients.cloudfront.meta.events.unregister("before-call.cloudfront", note)
    changes = [name for name in calls if not name.startswith(("Get", "List"))]
    assert changes == ["UpdateDistribution", "DeleteDistribution"]


def test_delete_waits_until_it_is_off(distribution, clients):
    state = distribution.create(clients)
    off = replace(state, properties=state.properties | {"Enabled": False}, ready=False)
    remains = distribution.delete(clients, off)
    assert remains is not None
    assert "switch it off" in remains.waiting_for
    assert distribution.read(clients) is not None
