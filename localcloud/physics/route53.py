"""Route 53: what a zone cannot hold is refused, and a change is ``PENDING`` for a while.

https://docs.aws.amazon.com/Route53/latest/APIReference/API_GetChange.html
https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/ResourceRecordTypes.html
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from xml.etree import ElementTree

from localcloud.durations import Clock
from localcloud.physics import Forward
from localcloud.reader import Reader
from localcloud.wire import Answer, Call, xml_error

CHANGE = re.compile(r"<Id>/change/([A-Z0-9]+)</Id>")


ZONE = re.compile(r"/[0-9-]+/hostedzone/([A-Z0-9]+)/rrset/?")
ADDRESSES = {
    "A": (ipaddress.IPv4Address, "ARRDATAIllegalIPv4Address (Value is not a valid IPv4 address)"),
    "AAAA": (
        ipaddress.IPv6Address,
        "AAAARRDATAIllegalIPv6Address (Value is not a valid IPv6 address)",
    ),
}


@dataclass(frozen=True)
class Change:
    """One line of a change batch; names end with a dot."""

    action: str
    name: str
    type: str
    values: tuple[str, ...]


class Route53:
    def __init__(self, reader: Reader, clock: Clock) -> None:
        self.reader = reader
        self.clock = clock

    async def __call__(self, call: Call, forward: Forward) -> Answer:
        zone = ZONE.fullmatch(call.decoded_path)
        if zone and call.method == "POST":
            problems = await asyncio.to_thread(self._problems, zone[1], changes_of(call.body))
            if problems:
                return xml_error("InvalidChangeBatch", f"[{', '.join(problems)}]")
        answer = await forward(call)
        if not answer.ok or not (found := CHANGE.search(answer.text)):
            return answer
        if call.method != "GET":
            self.clock.begin("change", found[1])
        if not self.clock.under_way("change", found[1]):
            return answer
        body = answer.text.replace("<Status>INSYNC</Status>", "<Status>PENDING</Status>")
        return answer.with_body(body.encode())

    def _problems(self, zone_id: str, changes: list[Change]) -> list[str]:
        writes = [change for change in changes if change.action != "DELETE"]
        problems = [each for change in writes for each in bad_addresses(change)]
        if problems or not writes:
            return problems
        try:
            apex, types = self._types(zone_id)
        except self.reader.route53.exceptions.NoSuchHostedZone:
            return problems  # MiniStack says so
        for change in changes:
            held = types.setdefault(change.name, set())
            (held.discard if change.action == "DELETE" else held.add)(change.type)
        return [each for w in writes for each in misplaced(w, apex, types[w.name])]

    def _types(self, zone_id: str) -> tuple[str, dict[str, set[str]]]:
        """The zone's name, and the types that each name in it has now."""
        apex = self.reader.route53.get_hosted_zone(Id=zone_id)["HostedZone"]["Name"]
        types: dict[str, set[str]] = {}
        pages = self.reader.route53.get_paginator("list_resource_record_sets")
        for page in pages.paginate(HostedZoneId=zone_id):
            for record in page["ResourceRecordSets"]:
                types.setdefault(record["Name"].lower(), set()).add(record["Type"])
        return apex, types


def changes_of(body: bytes) -> list[Change]:
    """The changes of a batch; none of what is no XML, which MiniStack refuses."""
    try:
        root = ElementTree.fromstring(body)  # noqa: S314  loopback only
    except ElementTree.ParseError:
        return []
    return [
        Change(
            each.findtext("{*}Action", ""),
            each.findtext(".//{*}Name", "").lower().rstrip(".") + ".",
            each.findtext(".//{*}Type", ""),
            tuple(value.text or "" for value in each.findall(".//{*}ResourceRecord/{*}Value")),
        )
        for each in root.findall(".//{*}Change")
    ]


def bad_addresses(change: Change) -> Iterable[str]:
    if change.type not in ADDRESSES:
        return
    address, problem = ADDRESSES[change.type]
    for value in change.values:
        try:
            address(value)
        except ValueError:
            yield f"Invalid Resource Record: 'FATAL problem: {problem} encountered with '{value}''"


def misplaced(change: Change, apex: str, types: set[str]) -> Iterable[str]:
    """A CNAME stands alone, and never at the apex. ``types``: what the name would have."""
    about = f"RRSet of type {change.type} with DNS name {change.name} is not permitted"
    if change.type == "CNAME" and change.name == apex:
        yield f"{about} at apex in zone {apex}"
    elif "CNAME" in types and len(types) > 1:
        other = "CNAME" if change.type != "CNAME" else min(types - {"CNAME"})
        yield (
            f"{about} as it conflicts with other records with the same DNS name in zone {apex}: "
            f"{other}"
        )
