"""The domain of previews: one name for all below it, in the certificate, the records, the edge."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from sites.provisioning import Done, Waiting
from sites.provisioning.preflight import Look, preflight
from sites.provisioning.preflight.caa import allows
from sites.provisioning.preflight.delegation import authority
from sites.provisioning.preflight.dns import Caa
from sites.provisioning.resources.record_set import name_of
from tests.localcloud.conftest import LocalCloud
from tests.localcloud.domain import values
from tests.sites.provisioning.conftest import World
from tests.sites.provisioning.test_preflight import FakeDns, ns, plan, spec


@pytest.fixture
def previews(world: World, zone: str) -> World:
    world.site = replace(
        world.site, domains=(zone, f"preview.{zone}", f"*.preview.{zone}"), has_counter=False
    )
    world.counter_package = None
    return world


def names(world: World, zone: str) -> set[tuple[str, str]]:
    """Name without the zone, and type, of the zone's records but for its own."""
    route53 = world.clients.route53
    found = route53.list_hosted_zones_by_name(DNSName=f"{zone}.")["HostedZones"][0]
    records = route53.list_resource_record_sets(HostedZoneId=found["Id"])["ResourceRecordSets"]
    return {
        (name_of(record).removesuffix(zone), record["Type"])
        for record in records
        if record["Type"] not in ("NS", "SOA")
    }


def proofs(world: World) -> set[str]:
    return {id_ for id_, row in world.site_store.rows.items() if row.type == "validation_record"}


def test_a_wildcard_and_the_name_below_its_star_share_one_proof(previews: World, zone: str):
    assert previews.converge() == Done()
    assert proofs(previews) == {f"validation_record.{zone}", f"validation_record.preview.{zone}"}
    assert not previews.plan().effective, previews.plan().as_text()
    assert {("*.preview.", "A"), ("*.preview.", "AAAA")} <= names(previews, zone)
    # Whichever of the two goes, the other one's certificate is renewed by the record that stays.
    for domains in ((zone, f"*.preview.{zone}"), (zone, f"preview.{zone}"), (zone,)):
        before = names(previews, zone)
        previews.site = replace(
            previews.site,
            domains=domains,
            leaving=tuple({*previews.site.domains}.difference(domains)),
        )
        assert previews.converge() == Done()
        previews.site = replace(previews.site, leaving=())
        assert previews.converge() == Done()
        stays = {proof for proof in before if proof[1] == "CNAME"}
        assert (stays <= names(previews, zone)) == (len(domains) > 1)
        assert not previews.plan().effective, previews.plan().as_text()
    assert previews.vanish() == Done()
    assert names(previews, zone) == set()


@pytest.mark.parametrize(
    ("records", "ordinary", "wildcard"),
    [
        ([], True, True),
        ([("issue", "amazon.com")], True, True),
        ([("issue", "other.example")], False, False),
        ([("issue", "amazon.com"), ("issuewild", ";")], True, False),
        ([("issue", "other.example"), ("issuewild", "amazon.com")], False, True),
    ],
)
def test_certificates_for_wildcards_have_a_property_of_their_own(records, ordinary, wildcard):
    found = [Caa(0, tag, value) for tag, value in records]
    assert allows(found) == ordinary
    assert allows(found, is_wildcard=True) == wildcard


def test_the_dns_is_asked_for_the_name_below_the_star(clients):
    dns = FakeDns(
        ns("preview.example.org", "ns1.parking.example")
        | {("preview.example.org", "CAA"): ['0 issuewild "letsencrypt.org"']}
    )
    assert authority(dns, "*.preview.example.org")[0] == "preview.example.org"
    domain = "*.preview.example.org"
    found = preflight(spec(domain), clients, dns, plan(domain))
    by_code = {finding.code: finding for finding in found}
    assert 'CAA 0 issuewild "amazon.com"' in by_code["caa"].todo
    assert by_code["caa"].blocks
    assert "preview.example.org" in by_code["delegation"].todo
    assert Look(clients, dns).hosted_zone(domain) is None


@pytest.fixture(scope="module")
def local_cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    cloud = LocalCloud(tmp_path_factory.mktemp("cloud"), propagation=0.2)
    cloud.start()
    yield cloud
    cloud.stop()


def test_the_local_cloud_answers_for_any_name_below(local_cloud: LocalCloud, world: World, uid):
    zone = f"below-{uid}.com"
    world.clients = local_cloud.clients
    world.counter_package = None
    world.site = replace(world.site, domains=(f"*.{zone}",), has_counter=False)
    world.clients.route53.create_hosted_zone(Name=zone, CallerReference=zone)
    deadline = time.monotonic() + 60
    while isinstance(world.advance(), Waiting):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert not world.plan().effective, world.plan().as_text()
    assert ("*.", "A") in names(world, zone)
    assert values(local_cloud, f"any.{zone}", "A")
    for host in (f"any.{zone}", f"any.{zone}.localhost"):
        assert "No site answers" not in local_cloud.get(host).text
    assert "No site answers" in local_cloud.get(zone).text
