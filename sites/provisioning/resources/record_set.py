"""``AWS::Route53::RecordSet``: records in a hosted zone that the account has already.

Zones are the person's own: never created here, never deleted.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from sites.provisioning.documents import project
from sites.provisioning.resources.base import Resource, State

if TYPE_CHECKING:
    from cloudadmin.aws import Clients

# The zone of every CloudFront alias.
# https://docs.aws.amazon.com/Route53/latest/APIReference/API_AliasTarget.html
CLOUDFRONT_ZONE_ID = "Z2FDTNDATAQYW2"


def base_of(domain: str) -> str:
    """The name below the star of a wildcard: what proves it, and where its zone is looked for."""
    return domain.removeprefix("*.")


def find_zone(clients: Clients, domain: str) -> str | None:
    """The id of the account's public hosted zone that ends ``domain``, the longest first."""
    labels = base_of(domain.rstrip(".")).split(".")
    for start in range(len(labels) - 1):
        name = ".".join(labels[start:]) + "."
        page = clients.route53.list_hosted_zones_by_name(DNSName=name, MaxItems="10")
        for zone in page["HostedZones"]:
            if zone["Name"] == name and not zone.get("Config", {}).get("PrivateZone"):
                return zone["Id"].removeprefix("/hostedzone/")
    return None


def records_at(clients: Clients, zone_id: str, name: str) -> Iterator[Any]:
    """The records that send visitors of exactly that name somewhere, in Route 53's own shape."""
    page = clients.route53.list_resource_record_sets(
        HostedZoneId=zone_id, StartRecordName=name, MaxItems="100"
    )
    for record in page["ResourceRecordSets"]:
        if name_of(record) == name and record["Type"] in ("A", "AAAA", "CNAME"):
            yield record


def name_of(record: Any) -> str:
    """As people write it; Route 53 answers with ``\\052`` for the star of a wildcard.

    https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/DomainNameFormat.html
    """
    name: str = record["Name"].rstrip(".")
    return name.replace("\\052", "*", 1)


@dataclass(frozen=True)
class RecordSet(Resource):
    """``physical_id`` is ``zone id/name/type``."""

    not_found = frozenset({"NoSuchHostedZone"})
    may_remain = True

    @property
    @abstractmethod
    def domain(self) -> str:
        """The domain whose zone it goes to."""

    @abstractmethod
    def record_set(self) -> dict[str, Any]:
        """In Route 53's own shape."""

    @property
    @abstractmethod
    def advice(self) -> str:
        """The record to make by hand where Route 53 has no zone."""

    @property
    def label(self) -> str:
        record = self.record_set()
        return f"{record['Name']} {record['Type']}"

    def desired(self) -> dict[str, Any]:
        return self.record_set()

    def _read(self, clients: Clients, known_id: str) -> State | None:
        zone_id = known_id.partition("/")[0] or find_zone(clients, self.domain)
        found = self._in_zone(clients, zone_id) if zone_id else None
        if found is not None and not known_id and self.changes(found):
            return None  # somebody else's; to create ours is what will be waited for
        return found

    def _in_zone(self, clients: Clients, zone_id: str) -> State | None:
        wanted = self.record_set()
        page = clients.route53.list_resource_record_sets(
            HostedZoneId=zone_id,
            StartRecordName=wanted["Name"],
            StartRecordType=wanted["Type"],
            MaxItems="1",
        )
        for record in page["ResourceRecordSets"]:
            if name_of(record) == wanted["Name"] and record["Type"] == wanted["Type"]:
                found: Any = project(wanted, _without_dots({**record, "Name": name_of(record)}))
                return State(f"{zone_id}/{self.label.replace(' ', '/')}", found)
        return None

    def _create(self, clients: Clients) -> str | State:
        zone_id = find_zone(clients, self.domain)
        if zone_id is None:
            return State(
                "",
                ready=False,
                waiting_for=f"a hosted zone: Route 53 has none for {self.domain} in this account",
                todo=f"Create it, or add to your DNS {self.advice}.",
            )
        if taken := self._taken(clients, zone_id):
            return State(
                "",
                ready=False,
                waiting_for=f"its place: Route 53 has another record {taken}, which is not ours "
                "to overwrite",
                todo=f"Delete {taken} in Route 53 when the site may take over.",
            )
        self._change(clients, zone_id, "UPSERT")
        return f"{zone_id}/{self.label.replace(' ', '/')}"

    def _taken(self, clients: Clients, zone_id: str) -> str:
        """Name and type of the record that is in the way: another one, or a CNAME, which suffers
        none beside it."""
        found = self._in_zone(clients, zone_id)
        if found is not None:
            return self.label if self.changes(found) else ""
        wanted = self.record_set()
        for record in records_at(clients, zone_id, wanted["Name"]):
            if "CNAME" in (record["Type"], wanted["Type"]):
                return f"{wanted['Name']} {record['Type']}"
        return ""

    def _update(self, clients: Clients, current: State) -> None:
        self._change(clients, current.physical_id.partition("/")[0], "UPSERT")

    def _delete(self, clients: Clients, current: State) -> State | None:
        zone_id = current.physical_id.partition("/")[0]
        if not self._is_ours(self._in_zone(clients, zone_id)):
            return None
        self._change(clients, zone_id, "DELETE")
        left = self._in_zone(clients, zone_id)
        if not self._is_ours(left):
            return None
        return left and replace(left, ready=False, waiting_for="Route 53 to let go of it")

    def _is_ours(self, found: State | None) -> bool:
        # A record that points elsewhere by now is someone else's.
        return found is not None and not self.changes(found)

    def _change(self, clients: Clients, zone_id: str, action: Any) -> None:
        record: Any = self.wanted()
        clients.route53.change_resource_record_sets(
            HostedZoneId=zone_id,
            ChangeBatch={"Changes": [{"Action": action, "ResourceRecordSet": record}]},
        )


@dataclass(frozen=True)
class ValidationRecord(RecordSet):
    """Proves a domain to ACM. It stays, since ACM looks again at each renewal."""

    type = "validation_record"
    certified_domain: str
    name: str
    value: str

    @property
    def domain(self) -> str:
        return self.certified_domain

    @property
    def advice(self) -> str:
        return f"CNAME {self.name.rstrip('.')} -> {self.value.rstrip('.')}"

    def record_set(self) -> dict[str, Any]:
        return {
            "Name": self.name.rstrip("."),
            "Type": "CNAME",
            "TTL": 300,
            "ResourceRecords": [{"Value": self.value.rstrip(".")}],
        }


@dataclass(frozen=True)
class AliasRecord(RecordSet):
    """Points a domain at its distribution."""

    type = "alias_record"
    domain_name: str
    record_type: Literal["A", "AAAA"]
    distribution_domain_name: str

    @property
    def domain(self) -> str:
        return self.domain_name

    @property
    def advice(self) -> str:
        return f"CNAME (or ALIAS) {self.domain_name} -> {self.distribution_domain_name}"

    def record_set(self) -> dict[str, Any]:
        return {
            "Name": self.domain_name,
            "Type": self.record_type,
            "AliasTarget": {
                "HostedZoneId": CLOUDFRONT_ZONE_ID,
                "DNSName": self.distribution_domain_name,
                "EvaluateTargetHealth": False,
            },
        }


def _without_dots(value: Any) -> Any:
    """Route 53 ends every name with a dot."""
    if isinstance(value, dict):
        return {key: _without_dots(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_dots(item) for item in value]
    return value.rstrip(".") if isinstance(value, str) else value
