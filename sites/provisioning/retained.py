"""What a destroy leaves on AWS, and why: said before it is done, and again at its end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from shlex import quote
from typing import TYPE_CHECKING

from cloudadmin.aws import ClientError, error_code
from sites.provisioning.costs import FREE, HOSTED_ZONE, SNAPSHOT, Cost, cost_of
from sites.provisioning.records import Record
from sites.provisioning.resources import TYPES
from sites.provisioning.resources.record_set import RecordSet

if TYPE_CHECKING:
    from cloudadmin.aws import Clients


@dataclass(frozen=True)
class Retained:
    """``how``: what to do to be rid of it."""

    what: str
    why: str
    how: str
    cost: Cost = FREE

    def as_text(self) -> str:
        lines = [self.what, self.why, f"Costs {self.cost.as_text()}.", f"To remove it: {self.how}"]
        return "\n      ".join(lines)

    def as_json(self) -> dict[str, str]:
        return {
            "what": self.what,
            "why": self.why,
            "how": self.how,
            "monthly_cost": f"{self.cost.monthly:.2f}",
            "cost_by_use": self.cost.by_use,
        }


def strangers(clients: Clients, records: Mapping[str, Record]) -> Iterator[Retained]:
    """Records of the site that were changed by somebody since, and are theirs now."""
    for record in _record_sets(records):
        resource = record.resource
        found = resource.read(clients, record.physical_id)
        if found is not None and resource.changes(found):
            yield Retained(
                f"DNS record {resource.label}",
                "Somebody changed it since it was made here, so it is theirs.",
                "delete it in Route 53 when nobody needs it.",
            )


def zones(clients: Clients, records: Mapping[str, Record]) -> Iterator[Retained]:
    """The hosted zones that the site's records are in."""
    ids = {record.physical_id.partition("/")[0] for record in _record_sets(records)}
    for zone_id in sorted(ids):
        try:
            zone = clients.route53.get_hosted_zone(Id=zone_id)["HostedZone"]
        except ClientError as error:
            if error_code(error) == "NoSuchHostedZone":
                continue
            raise
        yield Retained(
            f"hosted zone {zone['Name'].rstrip('.')} ({zone_id})",
            "It is your own: cloudadmin makes none and deletes none.",
            "delete it in Route 53 when its domain is served elsewhere.",
            HOSTED_ZONE,
        )


def _record_sets(records: Mapping[str, Record]) -> Iterator[Record]:
    for record in records.values():
        if record.physical_id and issubclass(TYPES[record.type], RecordSet):
            yield record


def shared(records: Mapping[str, Record], account: str, sites: int) -> Iterator[Retained]:
    """What the sites of an account share. ``sites``: how many will be left that need it."""
    there = [record for record in records.values() if record.physical_id]
    if not there:
        return
    database = next((record for record in there if record.type == "db_instance"), None)
    parts = f"{len(there)} things"
    if database:
        parts += f", the counter database {database.resource.label} among them"
    match sites:
        case 0:
            why = "No site needs it any more, and it costs on until it is destroyed."
        case 1:
            why = "Another site of the account needs it."
        case _:
            why = f"{sites} other sites of the account need it."
    yield Retained(
        f"what the sites of account {account} share: {parts}",
        why,
        f"`manage.py destroy_account {quote(account)} --yes`, when no site is left.",
        Cost(sum((cost_of(record.type).monthly for record in there), Decimal(0))),
    )


def final_snapshot(records: Mapping[str, Record]) -> Iterator[Retained]:
    """The one that is made when the account's database is deleted."""
    for record in records.values():
        if record.type == "db_instance" and record.physical_id:
            name = f"{record.physical_id}-{record.attributes['resource_id'].lower()}"
            yield _snapshot(name, "Visits cannot be counted again, so a last copy is made.")


def snapshots(clients: Clients, database: str) -> Iterator[Retained]:
    """Those that earlier deletions of the account's database left."""
    found = clients.rds.describe_db_snapshots(DBInstanceIdentifier=database, SnapshotType="manual")
    for item in found["DBSnapshots"]:
        yield _snapshot(
            item["DBSnapshotIdentifier"], "It is the last copy of a database that was deleted."
        )


def _snapshot(name: str, why: str) -> Retained:
    command = f"`aws rds delete-db-snapshot --db-snapshot-identifier {name}`"
    return Retained(f"database snapshot {name}", why, f"{command} when nobody needs it.", SNAPSHOT)
