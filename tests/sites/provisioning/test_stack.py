"""Whole stacks against the emulator: up, down, changed. What kills do to them is in the sweep."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sites import provisioning
from sites.provisioning import Done, State, Waiting, stack
from sites.provisioning.resources.base import listed
from sites.provisioning.steps import States
from tests.sites.provisioning.conftest import PASSES, World, package

NO_CHANGES = "No changes. What is on AWS matches what is asked for."


def comments(world: World) -> Counter[str]:
    """How many distributions there are of each name."""
    cloudfront = world.clients.cloudfront
    found = listed(cloudfront.list_distributions, "DistributionList")
    return Counter(item["Comment"] for item in found)


def certificates(world: World) -> int:
    found = world.clients.acm.list_certificates()["CertificateSummaryList"]
    return sum(item["DomainName"] in world.site.domains for item in found)


def assert_gone(world: World) -> None:
    assert world.site_store.rows == {}
    assert world.account_store.rows == {}
    assert comments(world)[world.site.prefix] == 0
    assert certificates(world) == 0
    buckets = world.clients.s3.list_buckets()["Buckets"]
    assert not [item["Name"] for item in buckets if world.site.uid in item["Name"]]


def test_up_and_down(world: World):
    first = world.plan().effective
    assert {change.action for change in first} == {"create"}
    assert world.converge() == Done()
    assert {row.type for row in world.site_store.rows.values()} | {
        row.type for row in world.account_store.rows.values()
    } == {change.type for change in first}
    assert world.plan().as_text() == NO_CHANGES
    assert world.vanish() == Done()
    assert_gone(world)


def test_up_without_domains_and_counter(world: World):
    world.site = replace(world.site, domains=(), has_counter=False)
    world.counter_package = None
    assert world.converge() == Done()
    assert sorted(world.site_store.rows) == [
        "bucket",
        "bucket_policy",
        "distribution",
        "function",
        "function.headers",
        "key_value_store",
    ]
    assert world.plan().as_text() == NO_CHANGES
    assert world.vanish() == Done()


@given(
    domains=st.lists(st.from_regex(r"[a-z]{1,60}\.[a-z]{1,60}\.com", fullmatch=True), unique=True)
)
def test_logical_ids_are_short_and_tell_resources_apart(domains: list[str]):
    site = provisioning.SiteSpec("0" * 12, "site", "0" * 12, "us-east-1", tuple(domains))
    steps = provisioning.site_stack(site, {}, router_code="", headers_code="").steps
    assert len({step.logical_id for step in steps}) == len(steps)
    assert max(len(step.logical_id) for step in steps) <= 60


def test_the_distribution_points_at_everything(world: World):
    world.converge()
    rows = world.site_store.rows
    config = world.clients.cloudfront.get_distribution_config(Id=rows["distribution"].physical_id)[
        "DistributionConfig"
    ]
    assert config["Aliases"]["Items"] == [*world.site.domains]
    assert config["ViewerCertificate"]["ACMCertificateArn"].startswith("arn:aws:acm:us-east-1:")
    patterns = [item["PathPattern"] for item in config["CacheBehaviors"]["Items"]]
    assert patterns == [
        "/_cloudadmin/count",
        "/_cloudadmin/visits.svg",
        "/_cloudadmin/*",
        "/data/*",
    ]
    origins = {item["Id"]: item["DomainName"] for item in config["Origins"]["Items"]}
    assert origins == {
        "bucket": f"{rows['bucket'].physical_id}.s3.us-east-1.amazonaws.com",
        "counter": rows["function_url"].attributes["domain_name"],
    }
    tags = world.clients.cloudfront.list_tags_for_resource(
        Resource=rows["distribution"].attributes["arn"]
    )["Tags"]["Items"]
    assert {"Key": "Name", "Value": world.site.name} in tags


def test_a_site_without_a_hosted_zone_lives_on_its_own_name(world: World):
    world.site = replace(world.site, domains=(f"nobody-{world.site.uid}.org",))
    for _ in range(PASSES):
        outcome: Any = world.advance()
        assert isinstance(outcome, Waiting)
        if all("Route 53 has none for nobody-" in wait.why for wait in outcome.waits):
            break
    assert world.site_store.rows["distribution"].ready
    assert world.site_store.rows["counter_schema"].ready
    advice = " ".join(wait.todo for wait in outcome.waits)
    assert world.site_store.rows["distribution"].attributes["domain_name"] in advice
    assert world.vanish() == Done()
    assert_gone(world)


def test_another_domain_changes_over_without_a_gap(world: World):
    world.converge()
    before = world.site_store.rows["distribution"].physical_id
    kept, dropped = world.site.domains
    world.site = replace(world.site, domains=(kept, f"new.{kept}"))
    text = world.plan().as_text()
    assert f"+ certificate  {kept} new.{kept}" in text
    assert f"- alias_record  {dropped} A" in text
    assert world.converge() == Done()
    assert world.site_store.rows["distribution"].physical_id == before
    assert certificates(world) == 1
    assert world.plan().as_text() == NO_CHANGES


def test_new_code_is_brought_to_the_edge_and_to_the_function(world: World, tmp_path):
    world.converge()
    world.router_code += "\n// another"
    world.counter_package = package(
        tmp_path, "def handler(event, context):\n    return {'version': 2}"
    )
    actions = {change.type: change.action for change in world.plan().effective}
    # The function follows its artifact: what it changes to is known when that is there.
    assert actions == {"artifact": "update", "function": "update"}
    assert world.converge() == Done()
    function = world.clients.lambda_.get_function(FunctionName=f"{world.site.prefix}-counter")
    artifact = world.account_store.rows["artifact"]
    assert function["Configuration"]["CodeSha256"] == artifact.attributes["code_sha256"]
    assert len(artifact.properties["Keys"]) == 1
    assert world.plan().as_text() == NO_CHANGES


def test_a_counter_that_is_no_longer_wanted_goes(world: World):
    world.converge()
    world.site = replace(world.site, has_counter=False)
    assert world.converge() == Done()
    assert not {"lambda_function", "role", "function_url"} & set(world.site_store.rows)
    assert world.plan().as_text() == NO_CHANGES


def test_drift_is_seen_and_put_right(world: World):
    world.converge()
    bucket = world.site_store.rows["bucket"].physical_id
    world.clients.s3.delete_public_access_block(Bucket=bucket)
    assert [change.logical_id for change in world.plan().effective] == ["bucket"]
    assert world.converge() == Done()
    assert world.clients.s3.get_public_access_block(Bucket=bucket)[
        "PublicAccessBlockConfiguration"
    ]["BlockPublicAcls"]


def test_plan_of_an_empty_stack_is_the_destroy_plan(world: World):
    world.converge()
    plan = provisioning.plan(provisioning.Stack((), {}), world.clients, world.site_store)
    assert {change.action for change in plan.changes} == {"delete"}
    with pytest.raises(provisioning.UnsafePlan, match="delete bucket"):
        plan.raise_if_unsafe()


def test_a_live_counter_gets_a_badge_with_a_label_as_a_change_that_is_told(
    world: World, monkeypatch
):
    """A site that was made before there was a cache policy: shown first, then done in place."""
    account_stack, counter_origin = World.account_stack, stack._counter_origin

    def as_before(self: World) -> provisioning.Stack:
        steps = account_stack.fget(self).steps  # type: ignore[attr-defined]
        return provisioning.Stack(tuple(s for s in steps if s.logical_id != "cache_policy"), {})

    with monkeypatch.context() as before:
        before.setattr(World, "account_stack", property(as_before))
        known = {"cache_policy": State("none")}
        before.setattr(
            stack,
            "_counter_origin",
            lambda s, url: (
                counter_origin(States({**s.known, **known}, s.missing), url)
                | {"badge_policy_id": ""}
            ),
        )
        assert world.converge() == Done()
    distribution = world.site_store.rows["distribution"].physical_id

    text = world.plan().as_text()
    assert "+ cache_policy" in text
    assert "~ distribution" in text
    assert {change.type for change in world.plan().effective} == {"cache_policy", "distribution"}
    assert world.converge() == Done()

    assert world.site_store.rows["distribution"].physical_id == distribution
    assert world.plan().as_text() == NO_CHANGES
    config = world.clients.cloudfront.get_distribution_config(Id=distribution)["DistributionConfig"]
    of_path = {item["PathPattern"]: item for item in config["CacheBehaviors"]["Items"]}
    policy = world.account_store.rows["cache_policy"].physical_id
    assert of_path["/_cloudadmin/visits.svg"]["CachePolicyId"] == policy
    errors = {
        item["ErrorCode"]: item["ErrorCachingMinTTL"]
        for item in config["CustomErrorResponses"]["Items"]
    }
    assert errors == {403: 10, 404: 10, 500: 0, 502: 0, 503: 0, 504: 0}
    assert world.vanish() == Done()
