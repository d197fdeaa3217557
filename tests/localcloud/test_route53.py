"""What a hosted zone cannot hold is refused, and the whole batch with it."""

from __future__ import annotations

import ipaddress
import uuid
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudadmin.aws import ClientError, error_code
from localcloud.physics.records import Change, bad_value, is_too_large, misplaced
from tests.localcloud.world import World, check, table

BATCH = "InvalidChangeBatch"


@pytest.fixture(scope="module")
def world(local_cloud) -> World:
    """With a record, ``kept``."""
    world = World(local_cloud.aws_endpoint)
    world.record("CREATE", "kept.", "A", "192.0.2.1")
    return world


def without_servers(world: World) -> Any:
    servers = world.route53.get_hosted_zone(Id=world.zone)["DelegationSet"]["NameServers"]
    return world.record("DELETE", "", "NS", *servers, ttl=172800)


class Zone:
    def __init__(self, route53) -> None:
        self.route53 = route53
        self.name = f"{uuid.uuid4().hex[:12]}.example"
        made = route53.create_hosted_zone(Name=self.name, CallerReference=self.name)
        self.id = made["HostedZone"]["Id"]

    def change(self, *changes: tuple[str, str, str, str]) -> None:
        self.route53.change_resource_record_sets(
            HostedZoneId=self.id,
            ChangeBatch={
                "Changes": [
                    {
                        "Action": action,
                        "ResourceRecordSet": {
                            "Name": f"{label}{self.name}",
                            "Type": kind,
                            "TTL": 60,
                            "ResourceRecords": [{"Value": value}],
                        },
                    }
                    for action, label, kind, value in changes
                ]
            },
        )

    def refuses(self, *changes: tuple[str, str, str, str]) -> str:
        before = self.records()
        with pytest.raises(ClientError) as refused:
            self.change(*changes)
        assert error_code(refused.value) == "InvalidChangeBatch"
        assert self.records() == before
        return str(refused.value)

    def records(self) -> list:
        found: list = self.route53.list_resource_record_sets(HostedZoneId=self.id)[
            "ResourceRecordSets"
        ]
        return found


@pytest.fixture
def zone(local_cloud) -> Zone:
    return Zone(local_cloud.clients.route53)


def test_no_cname_at_the_apex(zone):
    assert "at apex" in zone.refuses(("UPSERT", "", "CNAME", "other.example"))


def test_a_cname_stands_alone(zone):
    zone.change(("CREATE", "www.", "A", "192.0.2.1"))
    assert "conflicts" in zone.refuses(("CREATE", "www.", "CNAME", "other.example"))
    zone.change(("DELETE", "www.", "A", "192.0.2.1"), ("CREATE", "www.", "CNAME", "other.example"))
    zone.change(("UPSERT", "www.", "CNAME", "third.example"))
    assert "conflicts" in zone.refuses(("CREATE", "WWW.", "TXT", '"text"'))


def test_a_bad_record_takes_the_good_ones_with_it(zone):
    said = zone.refuses(
        ("CREATE", "good.", "A", "192.0.2.1"), ("CREATE", "bad.", "A", "192.0.2.999")
    )
    assert "192.0.2.999" in said
    zone.refuses(("CREATE", "bad.", "AAAA", "192.0.2.1"))


@given(st.ip_addresses())
def test_every_address_has_one_type(address: ipaddress.IPv4Address | ipaddress.IPv6Address):
    assert bool(bad_value("A", str(address))) == (address.version == 6)
    assert bool(bad_value("AAAA", str(address))) == (address.version == 4)
    assert bad_value("TXT", str(address))
    assert not bad_value("TXT", f'"{address}"')


# A character of a TXT string, and how it is written.
CHARACTERS = st.sampled_from(["a", " ", "'", "é", '\\"', "\\\\", "\\040"])


@given(st.lists(st.lists(CHARACTERS, max_size=8).map(tuple), min_size=1), st.integers(250, 260))
def test_a_text_is_strings_of_255_characters(strings, length):
    def written(*more: str) -> str:
        return " ".join([*('"' + "".join(each) + '"' for each in strings), *more])

    assert not bad_value("TXT", written())
    long = '"' + "\\040" * length + '"'
    assert bool(bad_value("TXT", written(long))) == (length > 255)
    assert "quotation marks" in bad_value("TXT", written("bare"))
    assert "quotation marks" in bad_value("TXT", written('"open'))


@given(st.sets(st.sampled_from(["A", "AAAA", "TXT", "CNAME"]), min_size=1))
def test_types_that_go_together(types):
    found = [
        each
        for kind in types
        for each in misplaced(Change("CREATE", "www.a.", kind, ()), "a.", types)
    ]
    assert bool(found) == ("CNAME" in types and len(types) > 1)


def many(kind: str, size: int, length: int) -> list[Change]:
    return [Change(kind, f"{n}.a.", "TXT", ("x" * length,)) for n in range(size)]


@given(st.sampled_from(["CREATE", "UPSERT", "DELETE"]), st.integers(0, 1100), st.integers(0, 80))
def test_a_batch_has_a_size(kind, size, length):
    times = 2 if kind == "UPSERT" else 1
    fits = size * times <= 1000 and size * length * times <= 32_000
    assert bool(list(is_too_large(many(kind, size, length)))) == (not fits)


@table(
    [
        ("CNAME at apex", lambda w: w.record("UPSERT", "", "CNAME", "a.example"), BATCH, 400),
        ("no IPv4", lambda w: w.record("UPSERT", "a.", "A", "192.0.2.999"), BATCH, 400),
        ("no IPv6", lambda w: w.record("UPSERT", "a.", "AAAA", "192.0.2.1"), BATCH, 400),
        ("no CAA", lambda w: w.record("UPSERT", "", "CAA", "amazon.com"), BATCH, 400),
        ("no MX", lambda w: w.record("UPSERT", "", "MX", "mail.example"), BATCH, 400),
        ("no name", lambda w: w.record("UPSERT", "a.", "CNAME", "two names"), BATCH, 400),
        ("bare text", lambda w: w.record("UPSERT", "a.", "TXT", "bare"), BATCH, 400),
        ("long text", lambda w: w.record("UPSERT", "a.", "TXT", f'"{"x" * 256}"'), BATCH, 400),
        ("twice", lambda w: w.record("UPSERT", "a.", "A", "192.0.2.1", "192.0.2.1"), BATCH, 400),
        ("label", lambda w: w.record("UPSERT", f"{'x' * 64}.", "A", "192.0.2.1"), BATCH, 400),
        ("empty label", lambda w: w.record("UPSERT", "a..", "A", "192.0.2.1"), BATCH, 400),
        ("no values", lambda w: w.record("UPSERT", "a.", "A"), "InvalidInput", 400),
        ("other values", lambda w: w.record("DELETE", "kept.", "A", "192.0.2.2"), BATCH, 400),
        ("not there", lambda w: w.record("DELETE", "gone.", "A", "192.0.2.2"), BATCH, 400),
        ("again", lambda w: w.record("CREATE", "kept.", "A", "192.0.2.2"), BATCH, 400),
        ("CNAME beside", lambda w: w.record("CREATE", "kept.", "CNAME", "a.b"), BATCH, 400),
        (
            "outside",
            lambda w: w.records([w.change("CREATE", "", "A", "192.0.2.2", domain=f"x{w.domain}")]),
            BATCH,
            400,
        ),
        ("its own servers", without_servers, BATCH, 400),
        (
            "same reference",
            lambda w: w.route53.create_hosted_zone(Name=w.domain, CallerReference=w.name),
            "HostedZoneAlreadyExists",
            409,
        ),
        (
            "not empty",
            lambda w: w.route53.delete_hosted_zone(Id=w.zone),
            "HostedZoneNotEmpty",
            400,
        ),
        (
            "no zone",
            lambda w: w.route53.change_resource_record_sets(
                HostedZoneId="ZNONE", ChangeBatch={"Changes": []}
            ),
            "NoSuchHostedZone",
            404,
        ),
        (
            "1,001 records",
            lambda w: w.records(
                [w.change("CREATE", f"n{n}.", "A", "192.0.2.1") for n in range(1001)]
            ),
            BATCH,
            400,
        ),
    ]
)
def test_refusals(world, call, code, status):
    before = world.route53.list_resource_record_sets(HostedZoneId=world.zone)
    check(world, call, code, status)
    after = world.route53.list_resource_record_sets(HostedZoneId=world.zone)
    assert after["ResourceRecordSets"] == before["ResourceRecordSets"]


def test_what_route53_allows(world):
    alias = world.change("UPSERT", "alias.", "A")
    alias["ResourceRecordSet"] = {
        "Name": f"alias.{world.domain}",
        "Type": "A",
        "AliasTarget": {
            "HostedZoneId": "Z2FDTNDATAQYW2",
            "DNSName": "d111.cloudfront.net",
            "EvaluateTargetHealth": False,
        },
    }
    changes = [
        alias,
        world.change("UPSERT", "", "CAA", '0 issue "amazon.com"'),
        world.change("UPSERT", "", "MX", "10 mail.example."),
        world.change("UPSERT", "", "TXT", '"v=spf1 -all" "more"'),
        world.change("UPSERT", "_sip._tcp.", "SRV", "1 10 5269 host.example."),
        world.change("UPSERT", "*.", "AAAA", "2001:db8::1", "2001:db8::2"),
        world.change("UPSERT", "_x.", "CNAME", "_y.acm-validations.aws."),
        world.change("UPSERT", "sub.", "NS", "ns-1.example.", "ns-2.example."),
    ]
    world.records(changes)
    for change in changes:
        change["Action"] = "DELETE"
    world.records(changes)
