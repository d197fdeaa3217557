"""What a destroy leaves: named with its reason and its price, and nothing else is left."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from sites.provisioning import Done
from sites.provisioning import retained as stays
from sites.provisioning.costs import Cost
from sites.provisioning.inventory import inventory
from sites.provisioning.resources import AliasRecord
from tests.sites.provisioning.conftest import World


def test_the_zone_is_the_persons_own(standing: World):
    (zone,) = stays.zones(standing.clients, standing.site_store.records())
    assert standing.site.domains[0] in zone.what
    assert zone.cost.monthly == Decimal("0.50")
    assert "0.50 a month" in zone.as_text()


def test_a_zone_that_is_gone_does_not_stay(standing: World):
    records = {
        name: record
        for name, record in standing.site_store.records().items()
        if record.type == "alias_record"
    }
    (name, record), *_ = records.items()
    moved: Any = record.__class__(record.type, record.inputs, f"Z0GONE/{record.physical_id}")
    assert [*stays.zones(standing.clients, {name: moved})] == []


def test_a_record_that_somebody_changed_stays_and_is_named(provisioned: World):
    name = next(name for name in provisioned.site_store.rows if name.startswith("alias_record.A."))
    record = provisioned.site_store.rows[name]
    assert [*stays.strangers(provisioned.clients, provisioned.site_store.records())] == []

    theirs = {"distribution_domain_name": "d0somebody.cloudfront.net"}
    AliasRecord.from_inputs(record.inputs | theirs).update(provisioned.clients, record.state)
    (stranger,) = stays.strangers(provisioned.clients, provisioned.site_store.records())
    assert record.inputs["domain_name"] in stranger.what

    assert provisioned.vanish() == Done()
    zone_id = record.physical_id.partition("/")[0]
    left = provisioned.clients.route53.list_resource_record_sets(HostedZoneId=zone_id)
    assert [each["Type"] for each in left["ResourceRecordSets"]] == ["A", "NS", "SOA"]


def test_what_is_shared_costs_on(standing: World):
    shared = standing.account_store.records()
    (last,) = stays.shared(shared, "local", 0)
    assert last.as_json()["monthly_cost"] == "13.98"
    assert "costs on" in last.why
    assert "destroy_account local" in last.how
    assert f"counter database cloudadmin-{standing.site.uid[::-1]}" in last.what
    whys = [each.why for sites in (1, 7) for each in stays.shared(shared, "local", sites)]
    assert ["Another site" in whys[0], "7 other sites" in whys[1]] == [True, True]
    assert [*stays.shared({}, "local", 0)] == []


def test_the_final_snapshot_is_named_before_it_is_made(provisioned: World):
    clients, database = provisioned.clients, f"cloudadmin-{provisioned.site.uid[::-1]}"
    (told,) = stays.final_snapshot(provisioned.account_store.records())
    assert "$0.095" in told.as_text()
    assert [*stays.snapshots(clients, database)] == []

    assert provisioned.vanish() == Done()
    (made,) = stays.snapshots(clients, database)
    assert made.what == told.what
    name = made.what.rpartition(" ")[2]
    assert f"--db-snapshot-identifier {name}" in made.how
    clients.rds.delete_db_snapshot(DBSnapshotIdentifier=name)
    assert [*stays.snapshots(clients, database)] == []


def test_nothing_that_is_not_named_stays(provisioned: World):
    assert provisioned.vanish() == Done()
    uids = {provisioned.site.uid, provisioned.site.uid[::-1]}
    assert [each for each in inventory(provisioned.clients, {}) if each.owner in uids] == []


@pytest.mark.parametrize(
    ("cost", "said"),
    [
        (Cost(), "nothing"),
        (Cost(Decimal("13.98")), "$13.98 a month"),
        (Cost(Decimal("0.50"), "more by use"), "$0.50 a month, more by use"),
    ],
)
def test_prices_as_people_say_them(cost: Cost, said: str):
    assert cost.as_text() == said
