"""What one set of name servers answers: a hosted zone, or a domain at another DNS."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import dns.exception
import dns.name
import dns.rdatatype
import dns.rrset
from dns.name import Name
from dns.rdatatype import RdataType
from dns.rrset import RRset

from localcloud.physics.delegation import to_own
from localcloud.registrar import Delegation

log = logging.getLogger(__name__)

TTL = 60


@dataclass(frozen=True)
class Alias:
    """A record that has the values of another name.

    https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/resource-record-sets-choosing-alias-non-alias.html
    """

    name: Name
    rdtype: RdataType
    target: Name


Record = RRset | Alias


class Zone:
    """``read`` is asked once, when it is needed. Records of one name and type are one."""

    def __init__(
        self,
        origin: Name,
        name_servers: Sequence[Name],
        read: Callable[[], Iterable[Record]],
        *,
        elsewhere: bool = False,
    ) -> None:
        self.origin = origin
        self.name_servers = tuple(name_servers)
        self.elsewhere = elsewhere
        self._read = read

    @cached_property
    def _records(self) -> dict[tuple[Name, RdataType], Record]:
        found: dict[tuple[Name, RdataType], Record] = {}
        for record in self._read():
            key = (record.name, record.rdtype)
            known = found.get(key)
            if isinstance(known, RRset) and isinstance(record, RRset):
                record = dns.rrset.from_rdata_list(record.name, known.ttl, [*known, *record])
            found[key] = record
        return found

    @cached_property
    def names(self) -> frozenset[Name]:
        """Those that exist: the apex, what has a record, and what is above one."""
        return frozenset(
            above
            for name in (self.origin, *(name for name, _ in self._records))
            for above in suffixes(name)
            if above.is_subdomain(self.origin)
        )

    def owner(self, name: Name) -> Name | None:
        """Whose records a name has: its own or a wildcard's; None when it does not exist.

        https://www.rfc-editor.org/rfc/rfc4592#section-3.3.1
        """
        if name in self.names:
            return name
        encloser = next(above for above in reversed(suffixes(name)) if above in self.names)
        wildcard = dns.name.from_text("*", encloser)
        return wildcard if wildcard in self.names else None

    def get(self, name: Name, kind: RdataType) -> Record | None:
        return self._records.get((name, kind))

    @property
    def soa(self) -> list[RRset]:
        found = self.get(self.origin, RdataType.SOA)
        return [found] if isinstance(found, RRset) else []


def suffixes(name: Name) -> list[Name]:
    """All that a name ends with, the shortest first, itself last; without the root."""
    return [name.split(depth)[1] for depth in range(2, len(name) + 1)]


def name_of(text: str) -> Name:
    """Route 53 writes octal escapes, zone files decimal ones.

    https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/DomainNameFormat.html
    """
    return dns.name.from_text(re.sub(r"\\([0-7]{3})", lambda m: f"\\{int(m[1], 8):03}", text))


def record_of(zone_id: str, block: Mapping[str, Any]) -> Iterable[Record]:
    """One record from Route 53's own shape; none from values that are not of its type."""
    try:
        name, kind = name_of(block["Name"]), dns.rdatatype.from_text(block["Type"])
        if target := block.get("AliasTarget"):
            yield Alias(name, kind, name_of(target["DNSName"]))
            return
        values = [to_own(zone_id, each["Value"]) for each in block["ResourceRecords"]]
        yield dns.rrset.from_text_list(
            name, block["TTL"], "IN", kind, values, origin=dns.name.root, relativize=False
        )
    except dns.exception.DNSException as error:
        log.warning("%s %s cannot be answered: %s", block["Name"], block["Type"], error)


def elsewhere(delegation: Delegation) -> Zone:
    """With what every zone has at its apex."""
    origin, servers = delegation.domain, delegation.name_servers
    soa = f"{servers[0]} hostmaster.{origin} 1 7200 900 1209600 300"
    apex = [
        dns.rrset.from_text(origin, TTL, "IN", "NS", *map(str, servers)),
        dns.rrset.from_text(origin, TTL, "IN", "SOA", soa),
    ]
    given = {(each.name, each.rdtype) for each in delegation.records}
    records = [*delegation.records, *(x for x in apex if (x.name, x.rdtype) not in given)]
    return Zone(origin, servers, lambda: records, elsewhere=True)
