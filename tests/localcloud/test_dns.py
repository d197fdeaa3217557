"""The public DNS, asked as any resolver is asked, and the registrar."""

from __future__ import annotations

import base64
import uuid
from collections.abc import Sequence
from typing import Any

import dns.flags
import dns.message
import dns.name
import dns.rrset
import httpx
import pytest
from dns.name import Name
from dns.rcode import Rcode
from dns.rdatatype import RdataType
from hypothesis import given
from hypothesis import strategies as st

from localcloud.dns.world import World
from localcloud.dns.zone import Zone, name_of, suffixes
from localcloud.physics.delegation import MINISTACK, name_servers, to_ministack, to_own
from localcloud.registrar import Delegation
from tests.localcloud.conftest import LocalCloud


def ask(cloud: LocalCloud, name: str, kind: str) -> dns.message.Message:
    """What the product does: dnspython for the message, httpx for the way (RFC 8484)."""
    query = dns.message.make_query(name, kind)
    answered = httpx.post(
        f"{cloud.aws_endpoint}/_localcloud/dns-query",
        content=query.to_wire(),
        headers={"Content-Type": "application/dns-message"},
    ).raise_for_status()
    answer = dns.message.from_wire(answered.content)
    assert query.is_response(answer)
    return answer


def values(cloud: LocalCloud, name: str, kind: str) -> set[str]:
    """Of that type, wherever a chain has led; empty when the name has none."""
    answer = ask(cloud, name, kind)
    assert answer.rcode() == Rcode.NOERROR
    wanted = RdataType.make(kind)
    return {rdata.to_text() for each in answer.answer if each.rdtype == wanted for rdata in each}


def delegate(
    cloud: LocalCloud, domain: str, servers: Sequence[str], records: Sequence[dict] = ()
) -> httpx.Response:
    document: dict[str, Any] = {"domain": domain, "name_servers": list(servers)}
    if records:
        document["records"] = list(records)
    return httpx.post(f"{cloud.aws_endpoint}/_localcloud/registrar", json=document)


class Domain:
    """A domain of our own, with a hosted zone when it is asked for."""

    def __init__(self, cloud: LocalCloud) -> None:
        self.cloud = cloud
        self.route53 = cloud.clients.route53
        self.name = f"{uuid.uuid4().hex[:12]}.example"
        self.zone_id = ""
        self.name_servers: list[str] = []

    def create_zone(self, name: str = "") -> Domain:
        made = self.route53.create_hosted_zone(
            Name=name or self.name, CallerReference=str(uuid.uuid4())
        )
        self.zone_id = made["HostedZone"]["Id"]
        self.name_servers = made["DelegationSet"]["NameServers"]
        return self

    def put(self, name: str, kind: Any, *values: str) -> None:
        self.change(
            {
                "Name": name,
                "Type": kind,
                "TTL": 60,
                "ResourceRecords": [{"Value": value} for value in values],
            }
        )

    def alias(self, name: str, kind: str, target: str) -> None:
        target_block = {
            "HostedZoneId": "Z2FDTNDATAQYW2",
            "DNSName": target,
            "EvaluateTargetHealth": False,
        }
        self.change({"Name": name, "Type": kind, "AliasTarget": target_block})

    def change(self, record_set: Any, action: Any = "UPSERT") -> None:
        self.route53.change_resource_record_sets(
            HostedZoneId=self.zone_id,
            ChangeBatch={"Changes": [{"Action": action, "ResourceRecordSet": record_set}]},
        )


@pytest.fixture
def domain(local_cloud) -> Domain:
    return Domain(local_cloud)


# --- name servers ---------------------------------------------------------------------------------


def test_every_zone_has_its_own_name_servers(domain):
    first = domain.create_zone().name_servers
    second = Domain(domain.cloud).create_zone().name_servers
    assert len({*first}) == len({*second}) == 4
    assert {*first} != {*second}
    assert not any(server.endswith(".") for server in first)

    got = domain.route53.get_hosted_zone(Id=domain.zone_id)
    assert got["DelegationSet"]["NameServers"] == first
    records = domain.route53.list_resource_record_sets(HostedZoneId=domain.zone_id)
    of = {each["Type"]: each for each in records["ResourceRecordSets"]}
    assert {each["Value"] for each in of["NS"]["ResourceRecords"]} == {f"{s}." for s in first}
    assert of["SOA"]["ResourceRecords"][0]["Value"].startswith(f"{first[0]}. ")
    domain.change(of["NS"])  # what was read can be written
    assert values(domain.cloud, domain.name, "NS") == {f"{server}." for server in first}


@given(st.from_regex(r"Z[A-Z0-9]{13}", fullmatch=True), st.text())
def test_name_servers_are_exchanged_there_and_back(zone_id, text):
    there = f"<a>{text}</a>".join(f"{server}." for server in MINISTACK)
    own = to_own(zone_id, there)
    assert all(server in own for server in name_servers(zone_id))
    assert to_ministack(zone_id, own) == there


# --- what is answered -----------------------------------------------------------------------------


def test_records_of_every_type(domain):
    domain.create_zone()
    for kind, value in (
        ("A", "192.0.2.7"),
        ("AAAA", "2001:db8::7"),
        ("TXT", '"v=spf1 -all"'),
        ("MX", "10 mail.other.example."),
        ("CAA", '0 issue "amazon.com"'),
    ):
        domain.put(domain.name, kind, value)
        assert values(domain.cloud, domain.name, kind) == {value}
    assert len(values(domain.cloud, domain.name, "SOA")) == 1


def test_a_name_without_that_type_is_no_missing_name(domain):
    domain.create_zone()
    domain.put(f"a.b.{domain.name}", "A", "192.0.2.1")
    for name, kind, rcode in (
        (f"a.b.{domain.name}", "TXT", Rcode.NOERROR),
        (f"b.{domain.name}", "A", Rcode.NOERROR),  # nothing but something below
        (f"c.{domain.name}", "A", Rcode.NXDOMAIN),
        (f"x.a.b.{domain.name}", "A", Rcode.NXDOMAIN),
    ):
        answer = ask(domain.cloud, name, kind)
        assert (answer.rcode(), answer.answer) == (rcode, [])
        assert answer.authority[0].rdtype == RdataType.SOA
    assert ask(domain.cloud, "nobody.example", "A").rcode() == Rcode.NXDOMAIN


def test_cnames_are_followed_out_of_the_zone(domain):
    domain.create_zone()
    other = Domain(domain.cloud).create_zone()
    other.put(f"*.{other.name}", "A", "192.0.2.9")
    domain.put(f"www.{domain.name}", "CNAME", f"any.{other.name}")
    answer = ask(domain.cloud, f"WWW.{domain.name}", "A")
    assert [each.rdtype for each in answer.answer] == [RdataType.CNAME, RdataType.A]
    assert answer.answer[1].name == dns.name.from_text(f"any.{other.name}")
    assert values(domain.cloud, f"www.{domain.name}", "CNAME") == {f"any.{other.name}."}

    domain.put(f"lost.{domain.name}", "CNAME", "gone.example")
    lost = ask(domain.cloud, f"lost.{domain.name}", "A")
    assert lost.rcode() == Rcode.NXDOMAIN
    assert len(lost.answer) == 1
    domain.put(f"loop.{domain.name}", "CNAME", f"loop.{domain.name}")
    assert ask(domain.cloud, f"loop.{domain.name}", "A").rcode() == Rcode.SERVFAIL


def test_an_alias_leads_to_the_edge(website, domain):
    domain.create_zone()
    website.create()
    for kind, address in (("A", "127.0.0.1"), ("AAAA", "::1")):
        domain.alias(domain.name, kind, website.host)
        assert values(domain.cloud, domain.name, kind) == {address}
        assert values(domain.cloud, website.host, kind) == {address}
        assert ask(domain.cloud, domain.name, kind).answer[0].name.to_text() == f"{domain.name}."
    domain.alias(f"old.{domain.name}", "A", "dgone.cloudfront.net")
    assert values(domain.cloud, f"old.{domain.name}", "A") == set()
    assert ask(domain.cloud, "dgone.cloudfront.net", "A").rcode() == Rcode.NXDOMAIN


# --- to whom a domain is delegated ----------------------------------------------------------------


def test_another_dns_answers_what_it_was_given(domain):
    domain.create_zone()
    domain.put(f"www.{domain.name}", "A", "192.0.2.1")
    records = [
        {"name": f"www.{domain.name}", "type": "CNAME", "value": "d111.cloudfront.net"},
        {"name": domain.name, "type": "CAA", "value": '0 issue "letsencrypt.org"', "ttl": 5},
        {"name": domain.name, "type": "CAA", "value": '0 issuewild ";"'},
    ]
    servers = ["ns1.other.example", "ns2.other.example."]
    delegate(domain.cloud, domain.name, servers, records).raise_for_status()
    assert values(domain.cloud, domain.name, "NS") == {"ns1.other.example.", "ns2.other.example."}
    assert len(values(domain.cloud, domain.name, "CAA")) == 2
    assert values(domain.cloud, f"www.{domain.name}", "CNAME") == {"d111.cloudfront.net."}
    assert ask(domain.cloud, f"api.{domain.name}", "A").rcode() == Rcode.NXDOMAIN


def test_of_two_zones_the_first_is_seen_unless_the_registrar_says_otherwise(domain):
    domain.create_zone().put(domain.name, "TXT", '"first"')
    second = Domain(domain.cloud).create_zone(domain.name)
    second.put(domain.name, "TXT", '"second"')
    assert values(domain.cloud, domain.name, "TXT") == {'"first"'}
    delegate(domain.cloud, domain.name, second.name_servers)
    assert values(domain.cloud, domain.name, "TXT") == {'"second"'}
    page = f"{domain.cloud.aws_endpoint}/_localcloud/registrar"
    assert domain.name in [each["domain"] for each in httpx.get(page).json()]
    left = httpx.delete(page, params={"domain": domain.name}).json()
    assert domain.name not in [each["domain"] for each in left]
    assert values(domain.cloud, domain.name, "TXT") == {'"first"'}
    domain.change(
        {"Name": domain.name, "Type": "TXT", "TTL": 60, "ResourceRecords": [{"Value": '"first"'}]},
        "DELETE",
    )
    domain.route53.delete_hosted_zone(Id=domain.zone_id)
    assert values(domain.cloud, domain.name, "TXT") == {'"second"'}


def test_a_private_zone_is_not_public(domain):
    domain.route53.create_hosted_zone(
        Name=domain.name,
        CallerReference=domain.name,
        VPC={"VPCRegion": "us-east-1", "VPCId": "vpc-1"},
    )
    assert ask(domain.cloud, domain.name, "NS").rcode() == Rcode.NXDOMAIN


def test_a_zone_gives_a_part_of_itself_away(domain):
    domain.create_zone()
    shop = Domain(domain.cloud).create_zone(f"shop.{domain.name}")
    assert values(domain.cloud, f"shop.{domain.name}", "NS") == {f"{s}." for s in shop.name_servers}
    domain.put(f"shop.{domain.name}", "NS", "ns1.other.example.")
    assert values(domain.cloud, f"shop.{domain.name}", "NS") == {"ns1.other.example."}
    domain.put(f"shop.{domain.name}", "NS", *(f"{server}." for server in shop.name_servers))
    shop.put(f"shop.{domain.name}", "TXT", '"here"')
    assert values(domain.cloud, f"shop.{domain.name}", "TXT") == {'"here"'}


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"name_servers": ["ns.example"]}, "'domain' is missing"),
        ({"domain": "a.example"}, "'name_servers' is missing"),
        ({"domain": "a.example", "name_servers": []}, "one or more"),
        ({"domain": "a..example", "name_servers": ["ns.example"]}, "EmptyLabel"),
        ([], "TypeError"),
    ],
)
def test_a_delegation_that_cannot_be_is_refused(local_cloud, document, said):
    page = f"{local_cloud.aws_endpoint}/_localcloud/registrar"
    refused = httpx.post(page, json=document)
    assert refused.status_code == 400
    assert said in refused.json()["error"]
    assert httpx.put(page).status_code == 405


@pytest.mark.parametrize(
    "record",
    [
        {"name": "other.example", "type": "A", "value": "192.0.2.1"},
        {"name": "a.example", "type": "A", "value": "no address"},
        {"name": "a.example", "type": "NONSENSE", "value": ""},
        {"name": "a.example", "type": "A"},
    ],
)
def test_a_record_that_cannot_be_is_refused(local_cloud, record):
    refused = delegate(local_cloud, "a.example", ["ns.example"], [record])
    assert refused.status_code == 400
    assert httpx.get(f"{local_cloud.aws_endpoint}/_localcloud/registrar").json() is not None


def test_delegations_are_kept(tmp_path):
    cloud = LocalCloud(tmp_path)
    cloud.start()
    domain = Domain(cloud).create_zone()
    domain.put(domain.name, "TXT", '"first"')
    Domain(cloud).create_zone(domain.name)
    record = {"name": "a.elsewhere.example", "type": "A", "value": "192.0.2.1"}
    delegate(cloud, "elsewhere.example", ["ns.example"], [record])
    assert cloud.stop() == 0
    cloud.start()
    assert values(cloud, "a.elsewhere.example", "A") == {"192.0.2.1"}
    assert values(cloud, domain.name, "TXT") == {'"first"'}
    assert httpx.delete(f"{cloud.aws_endpoint}/_localcloud/registrar").json() == []
    assert ask(cloud, "elsewhere.example", "NS").rcode() == Rcode.NXDOMAIN
    assert cloud.stop() == 0


# --- the wire -------------------------------------------------------------------------------------


def test_get_carries_the_query_in_its_address(local_cloud, website):
    website.create()
    wire = dns.message.make_query(website.host, "A", id=0).to_wire()
    given_ = base64.urlsafe_b64encode(wire).rstrip(b"=").decode()
    page = f"{local_cloud.aws_endpoint}/_localcloud/dns-query"
    answered = httpx.get(page, params={"dns": given_})
    assert answered.headers["content-type"] == "application/dns-message"
    assert answered.headers["cache-control"] == "max-age=60"
    answer = dns.message.from_wire(answered.content)
    assert answer.answer[0].to_text().endswith("IN A 127.0.0.1")
    assert answer.flags & dns.flags.RA
    assert answer.id == 0


@pytest.mark.parametrize(
    ("method", "more", "status"),
    [
        ("POST", {"content": b"x", "headers": {"Content-Type": "application/dns-message"}}, 400),
        ("POST", {"content": b"x"}, 415),
        ("GET", {}, 400),
        ("GET", {"params": {"dns": "!"}}, 400),
        ("PUT", {}, 405),
    ],
)
def test_what_is_no_query_is_refused(local_cloud, method, more, status):
    page = f"{local_cloud.aws_endpoint}/_localcloud/dns-query"
    assert httpx.request(method, page, **more).status_code == status


# --- laws -----------------------------------------------------------------------------------------

NAME = st.lists(st.sampled_from(["a", "b", "c", "www"]), min_size=1, max_size=5).map(
    lambda labels: dns.name.from_text(".".join(labels))
)


def rrset(name: str | Name, kind: str, *texts: str) -> dns.rrset.RRset:
    owner = dns.name.from_text(name) if isinstance(name, str) else name
    return dns.rrset.from_text(owner, 60, "IN", kind, *texts)


def zone_of(origin: Name, *records: dns.rrset.RRset) -> Zone:
    apex = rrset(origin, "SOA", "ns.example. h.example. 1 7200 900 1209600 86400")
    return Zone(origin, [dns.name.from_text("ns", origin)], lambda: [apex, *records])


@given(st.sets(NAME), NAME)
def test_the_longest_zone_answers(origins, name):
    found = World(map(zone_of, origins), {}).authority(name)
    longest = max((o for o in origins if name.is_subdomain(o)), key=len, default=None)
    assert (found.origin if found else None) == longest


@given(st.sets(NAME), st.sets(NAME), NAME)
def test_below_a_domain_that_is_elsewhere_no_zone_is_seen(origins, away, name):
    servers = (dns.name.from_text("ns.other"),)
    delegations = {domain: Delegation(domain, servers) for domain in away}
    found = World(map(zone_of, origins), delegations).authority(name)
    gone = [domain for domain in away if name.is_subdomain(domain)]
    if gone:
        assert found is not None
        assert found.elsewhere
        assert found.origin == max(gone, key=len)
    else:
        assert not (found and found.elsewhere)


@given(NAME, st.sets(NAME), NAME)
def test_a_name_exists_with_a_record_or_above_one(origin, names, asked):
    there = {name for name in names if name.is_subdomain(origin)}
    records = [rrset(name, "A", "192.0.2.1") for name in there]
    reply = World([zone_of(origin, *records)], {}).resolve(asked, RdataType.A)
    assert bool(reply.answer) == (asked in there)
    exists = asked == origin or any(name.is_subdomain(asked) for name in there)
    in_zone = asked.is_subdomain(origin)
    assert (reply.rcode == Rcode.NOERROR) == (exists and in_zone)
    assert bool(reply.authority) == (in_zone and not reply.answer)


@given(NAME, NAME)
def test_a_wildcard_answers_below_the_closest_name_that_exists(origin, below):
    name = below.relativize(dns.name.root) + origin
    wildcard = rrset(dns.name.from_text("*", origin), "A", "192.0.2.1")
    reply = World([zone_of(origin, wildcard)], {}).resolve(name, RdataType.A)
    assert [each.name for each in reply.answer] == [name]


@given(NAME)
def test_suffixes_end_a_name(name):
    found = suffixes(name)
    assert found[-1] == name
    assert len(found) == len(name) - 1
    assert all(name.is_subdomain(each) for each in found)


def test_route_53_writes_an_asterisk_in_octal():
    assert name_of(r"\052.a.example") == dns.name.from_text("*.a.example")
