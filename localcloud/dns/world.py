"""The public DNS: what the world sees of hosted zones, and of other DNS.

https://www.rfc-editor.org/rfc/rfc1034#section-4.3.2 tells how a name is looked up.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import dns.name
import dns.rrset
from dns.name import Name
from dns.rcode import Rcode
from dns.rdatatype import RdataType
from dns.rrset import RRset

from localcloud.dns.zone import TTL, Alias, Record, Zone, elsewhere, name_of, record_of, suffixes
from localcloud.physics.delegation import name_servers
from localcloud.propagation import Propagation
from localcloud.reader import Reader
from localcloud.registrar import Delegation, Registrar

CLOUDFRONT = dns.name.from_text("cloudfront.net")
EDGE = {RdataType.A: "127.0.0.1", RdataType.AAAA: "::1"}
LONGEST_CHAIN = 10


@dataclass
class Reply:
    rcode: Rcode = Rcode.NOERROR
    answer: list[RRset] = field(default_factory=list)
    authority: list[RRset] = field(default_factory=list)

    def values(self, kind: RdataType) -> list[Any]:
        """The rdata of that type, at whatever name a chain has led to."""
        return [rdata for each in self.answer if each.rdtype == kind for rdata in each]


class World:
    """One look at all of it. Blocking where a zone is read: ask it from a thread."""

    def __init__(
        self,
        zones: Iterable[Zone],
        delegations: Mapping[Name, Delegation],
        distributions: Iterable[Name] = (),
    ) -> None:
        """``zones``: of one name, the first created first."""
        self.zones: dict[Name, list[Zone]] = {}
        for zone in zones:
            self.zones.setdefault(zone.origin, []).append(zone)
        self.delegations = delegations
        self.distributions = frozenset(distributions)

    def authority(self, name: Name) -> Zone | None:
        """Who answers for a name: from the top down, as each DNS delegates to the next."""
        current = None
        for cut in suffixes(name):
            if delegation := self._delegation(cut, current):
                current = self._delegated(delegation)
        return current

    def _delegation(self, cut: Name, above: Zone | None) -> Delegation | None:
        """What the registrar was told; else what the zone above says; else each zone to itself."""
        if told := self.delegations.get(cut):
            return told
        servers = above.get(cut, RdataType.NS) if above else None
        if isinstance(servers, RRset):
            return Delegation(cut, tuple(rdata.target for rdata in servers))
        if cut in self.zones and not (above and above.elsewhere):
            return Delegation(cut, self.zones[cut][0].name_servers)
        return None

    def _delegated(self, delegation: Delegation) -> Zone:
        """The zone that shares the most name servers, the first created of equals."""
        servers = set(delegation.name_servers)
        same = self.zones.get(delegation.domain, [])
        best = max(
            same, key=lambda zone: len(servers.intersection(zone.name_servers)), default=None
        )
        if best is None or servers.isdisjoint(best.name_servers):
            return elsewhere(delegation)
        return best

    def resolve(self, name: Name, kind: RdataType, length: int = 0) -> Reply:
        """Follows CNAMEs and aliases; SERVFAIL when they lead too far."""
        if length > LONGEST_CHAIN:
            return Reply(Rcode.SERVFAIL)
        if name.is_subdomain(CLOUDFRONT):
            return self._edge(name, kind)
        zone = self.authority(name)
        owner = zone.owner(name) if zone else None
        if zone is None or owner is None:
            return Reply(Rcode.NXDOMAIN, authority=zone.soa if zone else [])
        match zone.get(owner, kind) or zone.get(owner, RdataType.CNAME):
            case Alias(target=target):
                values = self.resolve(target, kind, length + 1).values(kind)
                if values:
                    return Reply(answer=[dns.rrset.from_rdata_list(name, TTL, values)])
            case RRset(rdtype=found) as rrset:
                # A wildcard's records are answered under the name that was asked for.
                answer = dns.rrset.from_rdata_list(name, rrset.ttl, [*rrset])
                if found == kind:
                    return Reply(answer=[answer])
                rest = self.resolve(rrset[0].target, kind, length + 1)
                return Reply(rest.rcode, [answer, *rest.answer], rest.authority)
        return Reply(authority=zone.soa)

    def _edge(self, name: Name, kind: RdataType) -> Reply:
        if name not in self.distributions:
            return Reply(Rcode.NXDOMAIN)
        if kind not in EDGE:
            return Reply()
        return Reply(answer=[dns.rrset.from_text(name, TTL, "IN", kind, EDGE[kind])])


class PublicDns:
    """Builds worlds from what stands in MiniStack now."""

    def __init__(self, reader: Reader, registrar: Registrar, propagation: Propagation) -> None:
        self.reader = reader
        self.registrar = registrar
        self.propagation = propagation

    def world(self) -> World:
        """Blocking."""
        pages = self.reader.route53.get_paginator("list_hosted_zones").paginate()
        origins = {
            zone["Id"].rpartition("/")[2]: name_of(zone["Name"])
            for page in pages
            for zone in page["HostedZones"]
            if not zone["Config"].get("PrivateZone")
        }
        in_order = sorted(origins, key=self.registrar.age)
        distributions = [*self.propagation.distributions.values()]
        return World(
            [self._zone(zone_id, origins[zone_id]) for zone_id in in_order],
            dict(self.registrar.delegations),
            [name_of(each.domain_name) for each in distributions],
        )

    def _zone(self, zone_id: str, origin: Name) -> Zone:
        route53 = self.reader.route53

        def read() -> Iterable[Record]:
            pages = route53.get_paginator("list_resource_record_sets")
            # A zone may go while it is looked at.
            with contextlib.suppress(route53.exceptions.NoSuchHostedZone):
                for page in pages.paginate(HostedZoneId=zone_id):
                    for block in page["ResourceRecordSets"]:
                        yield from record_of(zone_id, block)

        return Zone(origin, [name_of(server) for server in name_servers(zone_id)], read)
