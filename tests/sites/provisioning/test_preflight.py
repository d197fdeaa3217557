"""Each look by itself, with the answers of the DNS given and AWS as the emulator has it."""

from __future__ import annotations

import json
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

from cloudadmin.aws import Access, ClientError, Clients
from sites.provisioning import Plan
from sites.provisioning.permissions import GRANTS, policy
from sites.provisioning.plan import Create, Delete
from sites.provisioning.preflight import Blocked, Dns, Look, preflight, raise_if_blocked
from sites.provisioning.preflight.caa import AMAZON, allows, relevant
from sites.provisioning.preflight.delegation import delegation
from sites.provisioning.preflight.dns import Answer, Caa, DnsBroken, DnsSilent
from sites.provisioning.preflight.permissions import _principal, permissions
from sites.provisioning.preflight.quotas import QUOTAS, Quota, quotas
from sites.provisioning.resources import AliasRecord
from sites.provisioning.stack import SiteSpec

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


def test_a_name_that_the_dns_leads_to_another_distribution_is_told(clients: Clients):
    answers = {("www.moved.org", "A"): Answer(chain=("d999.cloudfront.net",))}
    (finding,) = aliased(clients, answers, "www.moved.org")
    assert not finding.blocks
    assert "leads www.moved.org to d999.cloudfront.net" in finding.said


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
    for quota in QUOTAS.values():
        assert quota.used(look) >= 0
    found = {each.about for each in quotas(look, plan(**dict.fromkeys(QUOTAS, 1)), ())}
    assert found == set()


def test_names_of_one_certificate_are_counted(clients: Clients):
    domains = tuple(f"n{n}.example.org" for n in range(11))
    (finding,) = quotas(Look(clients, FakeDns({})), plan(*domains), domains)
    assert not finding.blocks
    assert "11 names of one certificate are needed" in finding.said


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
    for action in ("CreateDistribution", "CreateInvalidation", "DeleteDistribution"):
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
    database = by_action["rds:AddTagsToResource"]["ResourceArns"]
    assert database[0] == "arn:aws:rds:us-east-1:000000000000:db:cloudadmin-1-0"


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


def test_an_aws_that_does_not_answer_is_told(clients: Clients):
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
