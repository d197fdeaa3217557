"""What a hosted zone cannot hold is refused, and the whole batch with it."""

from __future__ import annotations

import ipaddress
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudadmin.aws import ClientError, error_code
from localcloud.physics.route53 import Change, bad_addresses, misplaced


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
    refused = {
        kind: list(bad_addresses(Change("CREATE", "a.", kind, (str(address),))))
        for kind in ("A", "AAAA", "TXT")
    }
    assert bool(refused["A"]) == (address.version == 6)
    assert bool(refused["AAAA"]) == (address.version == 4)
    assert not refused["TXT"]


@given(st.sets(st.sampled_from(["A", "AAAA", "TXT", "CNAME"]), min_size=1))
def test_types_that_go_together(types):
    problems = [
        each
        for kind in types
        for each in misplaced(Change("CREATE", "www.a.", kind, ()), "a.", types)
    ]
    assert bool(problems) == ("CNAME" in types and len(types) > 1)
