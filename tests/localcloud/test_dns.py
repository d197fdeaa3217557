"""The public DNS, asked as any resolver is asked."""

from __future__ import annotations

import base64
from unittest.mock import Mock

import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rrset
import pytest
from dns.name import Name
from dns.rcode import Rcode
from dns.rdatatype import RdataType
from hypothesis import given
from hypothesis import strategies as st

from localcloud.dns.query import DnsQuery
from localcloud.dns.world import PublicDns, World
from localcloud.dns.zone import Zone, name_of, suffixes
from localcloud.registrar import Delegation
from tests.localcloud import http
from tests.localcloud.domain import Domain, ask, rrset, values


@pytest.fixture
def domain(local_cloud) -> Domain:
    return Domain(local_cloud)


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


# --- the wire -------------------------------------------------------------------------------------


def test_get_carries_the_query_in_its_address(local_cloud, website):
    website.create()
    wire = dns.message.make_query(website.host, "A", id=0).to_wire()
    given_ = base64.urlsafe_b64encode(wire).rstrip(b"=").decode()
    page = f"{local_cloud.aws_endpoint}/_localcloud/dns-query"
    answered = http.get(page, params={"dns": given_})
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
    assert http.request(method, page, **more).status_code == status


def test_what_no_resolver_answers():
    resolver = DnsQuery(Mock(spec=PublicDns))
    query = dns.message.make_query("a.example", "A")
    response = dns.message.make_response(query)
    two = dns.message.make_query("a.example", "A")
    two.question.append(two.question[0])
    notify = dns.message.make_query("a.example", "SOA")
    notify.set_opcode(dns.opcode.NOTIFY)
    chaos = dns.message.make_query("version.bind", "TXT", rdclass="CH")
    rcodes = [resolver.answer(each).rcode() for each in (response, two, notify, chaos)]
    assert rcodes == [Rcode.FORMERR, Rcode.FORMERR, Rcode.NOTIMP, Rcode.REFUSED]


# --- laws -----------------------------------------------------------------------------------------

NAME = st.lists(st.sampled_from(["a", "b", "c", "www"]), min_size=1, max_size=5).map(
    lambda labels: dns.name.from_text(".".join(labels))
)


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
