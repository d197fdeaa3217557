"""A site that serves is changed: what is needed comes first, what is used goes last."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse

from cloudadmin.aws import Clients
from sites import provisioning
from sites.provisioning import Done
from sites.provisioning.resources import Distribution, Function, ResponseHeadersPolicy
from tests.localcloud.conftest import LocalCloud
from tests.sites.provisioning.conftest import World
from tests.sites.provisioning.test_local_cloud import settle

NO_HEADERS: Any = {}


@pytest.fixture(scope="module")
def local_cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    cloud = LocalCloud(tmp_path_factory.mktemp("cloud"), propagation=0.2)
    cloud.start()
    yield cloud
    cloud.stop()


@pytest.fixture
def world(local_cloud: LocalCloud) -> World:
    uid = str(uuid.uuid4())
    clients = local_cloud.clients
    clients.route53.create_hosted_zone(Name=f"zone-{uid}.com", CallerReference=uid)
    site = provisioning.SiteSpec(
        uid=uid,
        name="update",
        account_id=clients.sts.get_caller_identity()["Account"],
        region="us-east-1",
        domains=(f"zone-{uid}.com",),
        has_counter=False,
    )
    return World(clients, None, site)


class Watch:
    """The changes that are sent, in order, and what visitors can reach after each."""

    def __init__(self, clients: Clients) -> None:
        self.sent: list[str] = []
        clients.cloudfront.meta.events.register(
            "before-parameter-build.cloudfront.UpdateDistribution", self._distribution
        )
        clients.route53.meta.events.register(
            "before-parameter-build.route-53.ChangeResourceRecordSets", self._records
        )
        clients.acm.meta.events.register(
            "before-parameter-build.acm.DeleteCertificate", self._certificate
        )

    def _distribution(self, params: Any, **_: Any) -> None:
        config = params["DistributionConfig"]
        certificate = config["ViewerCertificate"].get("ACMCertificateArn", "none")
        aliases = sorted(config["Aliases"].get("Items", []))
        self.sent.append(f"aliases {' '.join(aliases)} with {certificate}")

    def _records(self, params: Any, **_: Any) -> None:
        for change in params["ChangeBatch"]["Changes"]:
            record = change["ResourceRecordSet"]
            if record["Type"] == "A":
                self.sent.append(f"{change['Action']} {record['Name']}")

    def _certificate(self, params: Any, **_: Any) -> None:
        self.sent.append(f"delete {params['CertificateArn']}")

    def last(self, beginning: str) -> int:
        """AWS refuses until it is so; what it did at last was asked for last."""
        return max(i for i, line in enumerate(self.sent) if line.startswith(beginning))

    def first(self, beginning: str) -> int:
        return next(i for i, line in enumerate(self.sent) if line.startswith(beginning))


def certificate_of(world: World) -> str:
    return next(
        row.physical_id for row in world.site_store.rows.values() if row.type == "certificate"
    )


def converge(world: World) -> None:
    outcome, _ = settle(world.advance)
    assert outcome == Done()
    assert not world.plan().effective, world.plan().as_text()


def leave(world: World, *domains: str) -> None:
    """As the rows would tell, pass by pass."""

    def advance() -> provisioning.Outcome:
        pointed = {
            row.inputs["domain_name"]
            for row in world.site_store.rows.values()
            if row.type == "alias_record"
        }
        world.site = replace(world.site, leaving=tuple(sorted(pointed.difference(domains))))
        return world.advance()

    world.site = replace(world.site, domains=domains)
    outcome, _ = settle(advance)
    assert outcome == Done()


def test_a_domain_joins_with_its_certificate_in_one_update(world: World):
    converge(world)
    old, apex = certificate_of(world), world.site.domains[0]
    watch = Watch(world.clients)
    world.site = replace(world.site, domains=(apex, f"www.{apex}"))
    # The certificate's records cannot be named before it is there: that is no drift.
    assert [each for each in world.plan().effective if each.drifted] == []
    converge(world)
    new = certificate_of(world)
    both = f"aliases {' '.join(sorted(world.site.domains))} with {new}"
    assert [line for line in watch.sent if line.startswith("aliases")] == [both]
    assert watch.last(f"delete {old}") > watch.first(both)


@pytest.mark.parametrize("kept", [1, 0])
def test_a_record_leaves_before_the_alias_that_it_leads_to(world: World, kept: int):
    apex = world.site.domains[0]
    domains = (apex, f"www.{apex}")
    world.site = replace(world.site, domains=domains)
    converge(world)
    old = certificate_of(world)
    watch = Watch(world.clients)
    plan_says = replace(world.site, domains=domains[:kept], leaving=domains[kept:])
    world.site, before = plan_says, world.site
    assert "~ distribution" in world.plan().as_text()
    world.site = before

    leave(world, *domains[:kept])

    dropped = next(
        i
        for i, line in enumerate(watch.sent)
        if line.startswith(f"aliases {' '.join(domains[:kept])} with ")
    )
    for domain in domains[kept:]:
        assert watch.first(f"DELETE {domain}") < dropped
    assert watch.last(f"delete {old}") > dropped
    world.site = replace(world.site, leaving=())
    assert not world.plan().effective, world.plan().as_text()


def test_headers_change_over_before_the_old_preset_goes(world: World, monkeypatch):
    converge(world)
    spec = provisioning.AccountSpec(
        world.site.prefix[-12:][::-1], world.site.account_id, "us-east-1", frozenset({"strict"})
    )
    stack = provisioning.account_stack(spec, counter_package=None)
    monkeypatch.setattr(World, "account_stack", stack)
    world.site = replace(world.site, headers="strict")
    converge(world)
    assert set(world.account_store.rows) == {
        "origin_access_control.s3",
        "origin_request_policy.router",
        "response_headers_policy.strict",
    }
    world.site = replace(world.site, headers="none")
    monkeypatch.setattr(
        World,
        "account_stack",
        provisioning.account_stack(replace(spec, headers=frozenset()), counter_package=None),
    )
    converge(world)
    assert set(world.account_store.rows) == {
        "origin_access_control.s3",
        "origin_request_policy.router",
    }


def test_a_counter_that_is_off_rests(world: World):
    world.site = replace(world.site, has_counter=False, keeps_counts=True)
    on = replace(world.site, has_counter=True)
    never = replace(world.site, keeps_counts=False)
    assert ids_of(world.site) == ids_of(on)
    assert "counter_schema" not in ids_of(never)


def ids_of(spec: provisioning.SiteSpec) -> set[str]:
    stack = provisioning.site_stack(spec, {}, router_code="", headers_code="")
    return {step.logical_id for step in stack.steps}


def strike(client: Any, operation: str) -> None:
    """The next such call is answered by "changed meanwhile": done, its answer lost, sent again."""
    event = f"before-call.cloudfront.{operation}"

    def refuse(**_: Any) -> Any:
        client.meta.events.unregister(event, refuse)
        return AWSResponse("", 412, NO_HEADERS, None), {
            "Error": {"Code": "PreconditionFailed", "Message": "changed"}
        }

    client.meta.events.register(event, refuse)


@pytest.mark.parametrize(
    ("operation", "change"),
    [
        ("UpdateFunction", {"router_code": "function handler() {}"}),
        ("PublishFunction", {"router_code": "function handler() { return 1 }"}),
        ("UpdateDistribution", {"price_class": "PriceClass_All"}),
    ],
)
def test_what_changed_since_it_was_read_is_compared_anew(world: World, operation, change):
    converge(world)
    if "router_code" in change:
        world.router_code = change["router_code"]
    else:
        world.site = replace(world.site, **change)
    strike(world.clients.cloudfront, operation)
    converge(world)


def test_what_another_hand_changed_meanwhile_is_not_written_over(world: World):
    converge(world)
    row = world.site_store.rows["distribution"]
    read = Distribution.from_inputs(row.inputs).read(world.clients, row.physical_id)
    assert read is not None
    now = world.clients.cloudfront.get_distribution_config(Id=row.physical_id)
    theirs: Any = now["DistributionConfig"] | {"Comment": "another hand"}
    world.clients.cloudfront.update_distribution(
        Id=row.physical_id, IfMatch=now["ETag"], DistributionConfig=theirs
    )
    wanted = replace(Distribution.from_inputs(row.inputs), price_class="PriceClass_All")
    state = wanted.update(world.clients, read)
    assert not state.ready
    found = world.clients.cloudfront.get_distribution_config(Id=row.physical_id)
    assert found["DistributionConfig"]["PriceClass"] == "PriceClass_100"


@pytest.mark.parametrize("resource", [Function, ResponseHeadersPolicy, Distribution])
def test_a_stale_etag_is_no_failure(resource):
    assert resource.busy >= {"PreconditionFailed", "InvalidIfMatchVersion"}


def test_strict_headers_grade_a():
    """What https://developer.mozilla.org/en-US/observatory/docs/tests_and_scoring takes points for,
    and the six headers of https://securityheaders.com."""
    document = ResponseHeadersPolicy("name", "strict").desired()
    security = document["SecurityHeadersConfig"]
    custom = {item["Header"] for item in document["CustomHeadersConfig"]["Items"]}
    assert document["CustomHeadersConfig"]["Quantity"] == len(custom)
    policy = security["ContentSecurityPolicy"]["ContentSecurityPolicy"]
    assert "unsafe" not in policy
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert security["FrameOptions"]["FrameOption"] == "DENY"
    assert security["StrictTransportSecurity"]["AccessControlMaxAgeSec"] >= 15_768_000
    assert {"ContentTypeOptions", "ReferrerPolicy"} <= security.keys()
    assert custom >= {"Permissions-Policy", "Cross-Origin-Resource-Policy"}
