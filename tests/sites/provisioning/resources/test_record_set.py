from __future__ import annotations

from collections.abc import Iterator

import pytest

from cloudadmin.aws import Clients
from sites.provisioning.resources import AliasRecord
from sites.provisioning.resources.record_set import find_zone, name_of


@pytest.fixture
def inner_zone(clients: Clients, zone: str) -> Iterator[str]:
    created = clients.route53.create_hosted_zone(Name=f"dev.{zone}", CallerReference=f"dev.{zone}")
    yield created["HostedZone"]["Id"].removeprefix("/hostedzone/")
    clients.route53.delete_hosted_zone(Id=created["HostedZone"]["Id"])


def test_find_zone_takes_the_longest(clients: Clients, zone: str, inner_zone: str):
    outer = find_zone(clients, zone)
    assert outer
    assert find_zone(clients, f"www.{zone}") == outer
    assert find_zone(clients, f"dev.{zone}") == inner_zone
    assert find_zone(clients, f"a.b.dev.{zone}") == inner_zone
    assert find_zone(clients, f"notdev.{zone}") == outer


def test_find_zone_is_none_without_one(clients: Clients, zone: str):
    assert find_zone(clients, f"prefixed-{zone}") is None


def test_delete_leaves_what_points_elsewhere(clients: Clients, zone: str):
    ours = AliasRecord(zone, "A", "d1.cloudfront.net")
    state = ours.create(clients)
    theirs = AliasRecord(zone, "A", "d2.cloudfront.net")
    theirs.update(clients, state)
    assert ours.delete(clients, state) is None
    assert theirs.read(clients) is not None


def test_create_without_a_zone_says_what_to_do(clients: Clients, uid: str):
    state = AliasRecord(f"{uid}.org", "A", "d1.cloudfront.net").create(clients)
    assert state.physical_id == ""
    assert not state.ready
    assert f"CNAME (or ALIAS) {uid}.org -> d1.cloudfront.net" in state.todo


def test_a_record_of_somebody_else_is_not_overwritten(clients: Clients, zone: str):
    theirs = AliasRecord(f"taken.{zone}", "A", "d1.cloudfront.net")
    theirs.create(clients)
    ours = AliasRecord(f"taken.{zone}", "A", "d2.cloudfront.net")

    assert ours.read(clients) is None
    state = ours.create(clients)

    assert not state.ready
    assert "not ours to overwrite" in state.waiting_for
    there = theirs.read(clients)
    assert there is not None
    assert not theirs.changes(there)
    assert theirs.delete(clients, there) is None


def test_a_wildcard_is_found_however_its_star_is_written(clients: Clients, zone: str):
    ours = AliasRecord(f"*.preview.{zone}", "A", "d1.cloudfront.net")
    state = ours.create(clients)
    there = ours.read(clients, state.physical_id)
    assert there is not None
    assert not ours.changes(there)
    assert name_of({"Name": f"\\052.preview.{zone}."}) == f"*.preview.{zone}"
    assert ours.delete(clients, there) is None
