"""Name servers: each zone has its own, and the registrar says whose a domain follows."""

from __future__ import annotations

import pytest
from dns.rcode import Rcode
from hypothesis import given
from hypothesis import strategies as st

from localcloud.physics.delegation import MINISTACK, name_servers, to_ministack, to_own
from tests.localcloud import http
from tests.localcloud.conftest import LocalCloud
from tests.localcloud.domain import Domain, ask, delegate, values


@pytest.fixture
def domain(local_cloud) -> Domain:
    return Domain(local_cloud)


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
    assert domain.name in [each["domain"] for each in http.get(page).json()]
    left = http.delete(page, params={"domain": domain.name}).json()
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
    refused = http.post(page, json=document)
    assert refused.status_code == 400
    assert said in refused.json()["error"]
    assert http.put(page).status_code == 405


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
    assert http.get(f"{local_cloud.aws_endpoint}/_localcloud/registrar").json() is not None


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
    assert http.delete(f"{cloud.aws_endpoint}/_localcloud/registrar").json() == []
    assert ask(cloud, "elsewhere.example", "NS").rcode() == Rcode.NXDOMAIN
    assert cloud.stop() == 0
