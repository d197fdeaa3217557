"""The account's own lists against what the engine wrote down."""

from __future__ import annotations

from collections import Counter
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from cloudadmin.aws import Clients
from sites.provisioning.inventory import PARTS, Found, inventory, owner_in, owner_of, tags_of
from sites.provisioning.records import Record
from sites.provisioning.resources import TYPES, AliasRecord
from tests.sites.provisioning.conftest import World

IN_NO_LIST = {part for parts in PARTS.values() for part in parts}


def records(world: World) -> dict[str, Record]:
    return {**world.account_store.records(), **world.site_store.records()}


def certificates(world: World) -> dict[str, Record]:
    return {row.physical_id: row for row in records(world).values() if row.type == "certificate"}


def owners(world: World) -> set[str]:
    return {world.site.uid, world.site.uid[::-1]}


def listed(world: World, recorded: dict[str, Record]) -> list[Found]:
    found = inventory(world.clients, recorded)
    return [each for each in found if each.owner in owners(world)]


def test_the_lists_and_the_records_tell_the_same(standing: World):
    recorded = {
        (row.type, row.physical_id)
        for row in records(standing).values()
        if row.type not in IN_NO_LIST
    }
    for known in ({}, certificates(standing)):
        found = listed(standing, known)
        assert Counter((each.type, each.physical_id) for each in found) == Counter(recorded)
    assert {kind for kind, _ in recorded} | IN_NO_LIST == set(TYPES)

    names = {row.physical_id: row.resource.label for row in records(standing).values()}
    assert all(each.name == names[each.physical_id] for each in found)


def test_each_thing_can_be_read_by_what_its_list_tells(standing: World):
    for each in listed(standing, {}):
        known = type(each.resource).from_inputs(each.resource.inputs())
        state = known.read(standing.clients, each.physical_id)
        assert state is not None, each
        assert state.physical_id == each.physical_id


def test_tags_tell_the_owner_where_aws_gives_tags(standing: World):
    untagged = {
        "alias_record",
        "cache_policy",
        "function",
        "origin_access_control",
        "origin_request_policy",
        "response_headers_policy",
        "validation_record",
    }
    for each in listed(standing, {}):
        tags = tags_of(standing.clients, each)
        assert (tags is None) == (each.type in untagged)
        assert tags is None or owner_in(tags) == each.owner


def test_each_list_is_asked_once_however_many_sites(standing: World):
    """And each hosted zone once, and each certificate that no row knows."""
    calls: Counter[str] = Counter()

    def note(model: Any, **_: Any) -> None:
        calls[model.name] += 1

    clients = Clients(standing.clients.access)
    for service in ("acm", "cloudfront", "ec2", "iam", "lambda_", "logs", "rds", "route53", "s3"):
        getattr(clients, service).meta.events.register("before-call", note)
    inventory(clients, certificates(standing))
    assert calls.pop("ListResourceRecordSets") >= 1
    for left_by_other_tests in ("ListTagsForCertificate", "DescribeCertificate"):
        calls.pop(left_by_other_tests, None)
    assert calls.pop("ListFunctions") == 2  # CloudFront's and Lambda's
    assert set(calls.values()) == {1}
    assert len(calls) == 15


def test_strangers_are_not_listed(standing: World):
    clients, zone = standing.clients, standing.site.domains[0]
    names = ["cloudadmin", f"cloudadmin-{standing.site.uid[:11]}", f"x-{standing.site.prefix}"]
    for name in names:
        clients.s3.create_bucket(Bucket=name)
        clients.logs.create_log_group(logGroupName=f"/aws/lambda/{name}")
    zone_id = clients.route53.list_hosted_zones_by_name(DNSName=zone)["HostedZones"][0]["Id"]
    alias = {
        "HostedZoneId": "Z2FDTNDATAQYW2",
        "DNSName": "d0somebody.cloudfront.net",
        "EvaluateTargetHealth": False,
    }
    record: Any = {"Name": f"shop.{zone}", "Type": "A", "AliasTarget": alias}
    mail: Any = {
        "Name": f"mail.{zone}",
        "Type": "CNAME",
        "TTL": 60,
        "ResourceRecords": [{"Value": "mail.example.com"}],
    }
    for each in (record, mail):
        change: Any = {"Changes": [{"Action": "CREATE", "ResourceRecordSet": each}]}
        clients.route53.change_resource_record_sets(HostedZoneId=zone_id, ChangeBatch=change)

    seen = {each.name for each in inventory(clients, {})}
    strangers = {f"shop.{zone} A", f"mail.{zone} CNAME"}
    assert seen.isdisjoint(strangers.union(names, (f"/aws/lambda/{name}" for name in names)))
    for name in names:
        clients.s3.delete_bucket(Bucket=name)
        clients.logs.delete_log_group(logGroupName=f"/aws/lambda/{name}")


def test_a_record_that_leads_elsewhere_by_now_is_not_ours(provisioned: World):
    alias = next(row for row in provisioned.site_store.rows.values() if row.type == "alias_record")
    moved = AliasRecord.from_inputs(
        alias.inputs | {"distribution_domain_name": "d0somebody.cloudfront.net"}
    )
    moved.update(provisioned.clients, alias.state)
    assert alias.physical_id not in {each.physical_id for each in listed(provisioned, {})}


@given(st.text())
def test_only_our_own_way_of_naming_is_ours(name: str):
    uid = owner_of(name)
    assert not uid or f"cloudadmin-{uid}" in name


@given(st.from_regex(r"[0-9a-f]{12}", fullmatch=True), st.sampled_from(["", "-s3", "-counter"]))
def test_every_name_of_ours_tells_its_owner(uid: str, more: str):
    assert owner_of(f"cloudadmin-{uid}{more}") == uid
    assert owner_of(f"/aws/lambda/cloudadmin-{uid}{more}") == uid
