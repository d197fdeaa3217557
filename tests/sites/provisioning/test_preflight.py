"""Each look by itself, with the answers of the DNS given and AWS as the emulator has it."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import dns.message
import dns.rdata
import httpx
import pytest
from dns.rcode import Rcode
from hypothesis import given
from hypothesis import strategies as st

from cloudadmin.aws import Access, Clients
from sites.provisioning import Plan
from sites.provisioning.plan import Create, Delete
from sites.provisioning.preflight import (
    Blocked,
    Dns,
    Look,
    about_names,
    preflight,
    raise_if_blocked,
)
from sites.provisioning.preflight.caa import AMAZON, allows, relevant
from sites.provisioning.preflight.delegation import delegation
from sites.provisioning.preflight.dns import Answer, Caa, DnsBroken, DnsSilent
from sites.provisioning.resources import AliasRecord
from sites.provisioning.specs import SiteSpec

SERVERS = ("ns1.parking.example", "ns2.parking.example")


class FakeDns(Dns):
    """Answers by name and type: values as in a zone file, or an error. Everything else is empty."""

    def __init__(self, answers: Mapping[tuple[str, str], Any]) -> None:
        super().__init__("http://nobody.example/")
        self.answers = answers

    def ask(self, name: str, kind: str) -> Answer:
        found = self.answers.get((name, kind), ())
        if isinstance(found, Exception):
            raise found
        if isinstance(found, Answer):
            return found
        return Answer([dns.rdata.from_text("IN", kind, value) for value in found])


def ns(name: str, *servers: str) -> dict[tuple[str, str], Any]:
    return {(name, "NS"): [f"{server.rstrip('.')}." for server in servers]}


def spec(*domains: str) -> SiteSpec:
    return SiteSpec(str(uuid.uuid4()), "shop", "000000000000", "us-east-1", domains, False)


def plan(*domains: str, **more: int) -> Plan:
    """One that makes a certificate and alias records for the domains, and ``more`` by type."""
    certificate = [Create("certificate.1", "certificate", " ".join(domains))] if domains else []
    aliases = [Create(f"alias_record.A.{d}", "alias_record", f"{d} A") for d in domains]
    others = [Create(type_, type_, type_) for type_, many in more.items() for _ in range(many)]
    return Plan((*certificate, *aliases, *others))


# --- CAA --------------------------------------------------------------------------------------

LABELS = st.sampled_from(["www", "shop", "a", "example"])
NAMES = st.lists(LABELS, min_size=2, max_size=5).map(".".join)


@given(NAMES, st.integers(0, 4))
def test_the_nearest_caa_records_at_or_above_the_domain_count(domain: str, height: int):
    parts = domain.split(".")
    above = [".".join(parts[n:]) for n in range(len(parts))]
    at = above[min(height, len(above) - 1)]
    mine, higher = (Caa(0, "issue", "ours"),), (Caa(0, "issue", "theirs"),)
    answers = dict.fromkeys(above[above.index(at) :], higher) | {at: mine}

    assert relevant(domain, lambda name: answers.get(name, ())) == (at, mine)
    assert relevant(domain, lambda name: ()) == ("", ())


ISSUERS = st.sampled_from([*AMAZON, "letsencrypt.org", ""])


@given(st.lists(ISSUERS), st.sampled_from(["", "; policy=ev"]))
def test_amazon_may_issue_when_nobody_or_amazon_is_named(issuers: list[str], parameters: str):
    records = [Caa(0, "issue", f" {issuer} {parameters}") for issuer in issuers]
    expected = not issuers or bool(AMAZON & {*issuers})
    assert allows(records) is expected
    # Neither who may make wildcards nor where to complain changes that; an unknown, critical
    # property forbids it.
    others = [Caa(0, "issuewild", ";"), Caa(128, "iodef", "mailto:a@b.example")]
    assert allows([*records, *others]) is expected
    assert not allows([*records, Caa(128, "future", "x")])


def test_a_caa_record_that_forbids_amazon_blocks_once_for_all_its_names(clients: Clients):
    answers = {("example.org", "CAA"): ['0 issue "letsencrypt.org"']}
    domains = ("example.org", "www.example.org")
    findings = preflight(spec(*domains), clients, FakeDns(answers), plan(*domains))
    (finding,) = [each for each in findings if each.code == "caa"]
    assert finding.blocks
    assert "lets only letsencrypt.org issue" in finding.said
    assert "example.org and www.example.org" in finding.said
    assert 'example.org CAA 0 issue "amazon.com"' in finding.todo
    with pytest.raises(Blocked, match="--force caa"):
        raise_if_blocked(findings)
    raise_if_blocked(findings, ["caa"])


# --- Delegation -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Zone:
    name: str
    servers: tuple[str, ...]


@pytest.fixture
def hosted(clients: Clients, zone: str) -> Zone:
    found = clients.route53.list_hosted_zones_by_name(DNSName=zone, MaxItems="1")["HostedZones"]
    servers = clients.route53.get_hosted_zone(Id=found[0]["Id"])["DelegationSet"]["NameServers"]
    return Zone(zone, tuple(server.rstrip(".") for server in servers))


def test_the_zones_own_name_servers_are_nothing_to_tell(clients: Clients, hosted: Zone):
    for servers in (hosted.servers, hosted.servers[:2]):
        look = Look(clients, FakeDns(ns(hosted.name, *servers)))
        assert [*delegation(look, [hosted.name, f"www.{hosted.name}"])] == []


def test_other_name_servers_are_told_with_those_that_should_be(clients: Clients, hosted: Zone):
    look = Look(clients, FakeDns(ns(hosted.name, *SERVERS)))
    (finding,) = delegation(look, [hosted.name, f"www.{hosted.name}"])
    assert not finding.blocks
    assert "shows ns1.parking.example and ns2.parking.example" in finding.said
    assert all(server in finding.todo for server in hosted.servers)
    assert finding.domains == (hosted.name, f"www.{hosted.name}")


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (DnsBroken(), "do not answer for it"),
        ((), "not registered, or not delegated"),
        ("mixed", "shows ns1.parking.example beside Route 53's"),
    ],
)
def test_what_else_the_world_may_show(clients: Clients, hosted: Zone, answer: Any, said: str):
    if answer == "mixed":
        answer = [f"{server}." for server in (SERVERS[0], hosted.servers[0])]
    (finding,) = delegation(Look(clients, FakeDns({(hosted.name, "NS"): answer})), [hosted.name])
    assert said in finding.said


def test_without_a_hosted_zone_both_ways_out_are_told(clients: Clients):
    look = Look(clients, FakeDns(ns("elsewhere.org", *SERVERS)))
    (finding,) = delegation(look, ["www.elsewhere.org", "elsewhere.org"])
    assert "Route 53 has no hosted zone for elsewhere.org and www.elsewhere.org" in finding.said
    assert "its name servers are ns1.parking.example and ns2.parking.example" in finding.said
    assert "Create the hosted zone elsewhere.org" in finding.todo
    assert "add to your own DNS" in finding.todo


# --- Aliases ----------------------------------------------------------------------------------


@pytest.fixture
def theirs(clients: Clients, zone: str) -> Iterator[Any]:
    """A distribution of somebody else in this account that has a name of the zone."""
    config: Any = {
        "CallerReference": zone,
        "Comment": "my old shop",
        "Enabled": False,
        "Aliases": {"Quantity": 1, "Items": [f"held.{zone}"]},
        "Origins": {"Quantity": 1, "Items": [{"Id": "o", "DomainName": "example.com"}]},
        "DefaultCacheBehavior": {"TargetOriginId": "o", "ViewerProtocolPolicy": "allow-all"},
    }
    made = clients.cloudfront.create_distribution(DistributionConfig=config)
    yield made["Distribution"]
    clients.cloudfront.delete_distribution(Id=made["Distribution"]["Id"], IfMatch=made["ETag"])


def aliased(clients: Clients, answers: Mapping[tuple[str, str], Any], *domains: str) -> Any:
    found = preflight(spec(*domains), clients, FakeDns(answers), plan(*domains))
    return [each for each in found if each.code == "alias"]


def test_a_name_of_another_distribution_of_the_account_blocks(
    clients: Clients, hosted: Zone, theirs: Any
):
    (finding,) = aliased(clients, {}, f"held.{hosted.name}", f"free.{hosted.name}")
    assert finding.blocks
    assert f"held.{hosted.name} is an alias of the distribution {theirs['Id']}" in finding.said
    assert "my old shop" in finding.said


def test_a_name_that_another_site_still_has_is_told_by_that_sites_name(
    clients: Clients, hosted: Zone, theirs: Any
):
    tags = {"cloudadmin:site": str(uuid.uuid4()), "Name": "blog"}
    clients.cloudfront.tag_resource(
        Resource=theirs["ARN"],
        Tags={"Items": [{"Key": key, "Value": value} for key, value in tags.items()]},
    )
    (finding,) = aliased(clients, {}, f"held.{hosted.name}")
    assert "from the site “blog”" in finding.todo


def test_a_record_of_that_name_is_told_and_does_not_block(clients: Clients, hosted: Zone):
    record = AliasRecord(f"taken.{hosted.name}", "A", "d999.cloudfront.net")
    record.create(clients)
    (finding,) = aliased(clients, {}, f"taken.{hosted.name}")
    assert not finding.blocks
    assert f"taken.{hosted.name} A -> d999.cloudfront.net" in finding.said


def test_the_sites_own_record_is_nothing_to_tell(clients: Clients, hosted: Zone, theirs: Any):
    name = f"live.{hosted.name}"
    AliasRecord(name, "A", theirs["DomainName"]).create(clients)
    for prefix, told in ((theirs["DistributionConfig"]["Comment"], 0), ("another", 1)):
        found = about_names(clients, FakeDns({}), (name,), prefix)
        assert sum("not ours to overwrite" in each.said for each in found) == told


def test_a_name_that_the_dns_leads_to_another_distribution_is_told(clients: Clients):
    answers = {("www.moved.org", "A"): Answer(chain=("d999.cloudfront.net",))}
    (finding,) = aliased(clients, answers, "www.moved.org")
    assert not finding.blocks
    assert "leads www.moved.org to d999.cloudfront.net" in finding.said


# --- All of it --------------------------------------------------------------------------------


def test_a_silent_dns_is_one_finding_and_no_error(clients: Clients):
    silent = dict.fromkeys((("a.org", "NS"), ("a.org", "CAA"), ("a.org", "A")), DnsSilent())
    findings = preflight(spec("a.org"), clients, FakeDns(silent), plan("a.org"))
    (finding,) = findings
    assert not finding.blocks
    assert "does not answer" in finding.said


def test_nothing_is_asked_for_a_plan_that_makes_nothing():
    nobody: Any = object()
    gone = Plan((Delete("bucket", "bucket", "b", True),))
    assert preflight(spec("a.org"), nobody, nobody, Plan()) == ()
    assert preflight(spec("a.org"), nobody, nobody, gone) == ()


def test_an_aws_that_does_not_answer_is_told(sent_again_at_once: None):
    nobody = Clients(Access("us-east-1", role_arn="arn:aws:iam::1:role/x"))
    nobody.access = replace(nobody.access, endpoint_url="http://127.0.0.1:9")
    for each in nobody.__dict__.values():
        assert not hasattr(each, "meta")
    findings = preflight(spec(), nobody, FakeDns({}), plan(bucket=1))
    assert {finding.code for finding in findings} == {"quota", "permission"}
    assert not any(finding.blocks for finding in findings)


# --- The resolver -----------------------------------------------------------------------------


def test_an_unreachable_resolver_is_asked_once():
    resolver = Dns("http://127.0.0.1:9/dns-query", seconds=1)
    for _ in range(2):
        with pytest.raises(DnsSilent):
            resolver.name_servers("example.org")
    assert resolver.is_silent


@pytest.mark.parametrize(
    ("rcode", "answer"),
    [(0, frozenset()), (3, frozenset()), (2, DnsBroken)],
    ids=["empty", "no such name", "servfail"],
)
def test_answers_of_a_resolver(monkeypatch, rcode: int, answer: Any):
    def post(url: str, content: bytes, **_: Any) -> httpx.Response:
        reply = dns.message.make_response(dns.message.from_wire(content), recursion_available=True)
        reply.set_rcode(Rcode.make(rcode))
        request = httpx.Request("POST", url)
        return httpx.Response(200, content=reply.to_wire(), request=request)

    monkeypatch.setattr(httpx, "post", post)
    resolver = Dns("http://resolver.example/dns-query")
    if answer is DnsBroken:
        with pytest.raises(DnsBroken):
            resolver.name_servers("example.org")
    else:
        assert resolver.name_servers("example.org") == answer
    assert not resolver.is_silent
