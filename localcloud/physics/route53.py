"""Route 53: what a zone cannot hold is refused, one change at a time, each ``PENDING`` for a while.

https://docs.aws.amazon.com/Route53/latest/APIReference/API_ChangeResourceRecordSets.html
https://docs.aws.amazon.com/Route53/latest/APIReference/API_GetChange.html
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence

from localcloud.durations import Clock
from localcloud.physics import Forward
from localcloud.physics.records import Change, is_too_large, misplaced, misshapen, problems
from localcloud.reader import Reader
from localcloud.wire import Answer, Call, xml_error

CHANGE = re.compile(r"<Id>/change/([A-Z0-9]+)</Id>")
ZONES = re.compile(r"/[0-9-]+/hostedzone/?")
# A wildcard's star is told in octal.
# https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/DomainNameFormat.html
STAR = re.compile(r"(?<=<ResourceRecordSet><Name>)\*(?=\.)")
RECORDS = re.compile(r"/[0-9-]+/hostedzone/([A-Z0-9]+)/rrset/?")


class Route53:
    def __init__(self, reader: Reader, clock: Clock) -> None:
        self.reader = reader
        self.clock = clock

    async def __call__(self, call: Call, forward: Forward) -> Answer:
        if call.method == "POST" and ZONES.fullmatch(call.decoded_path):
            refusal = await asyncio.to_thread(self._refuse_zone, call)
            answer = refusal or await forward(call)
        elif call.method == "POST" and (zone := RECORDS.fullmatch(call.decoded_path)):
            answer = await self._change(call, forward, zone[1])
        else:
            answer = await forward(call)
            if RECORDS.fullmatch(call.decoded_path) and answer.ok:
                answer = answer.with_body(STAR.sub(r"\\052", answer.text).encode())
        return self._as_it_is_now(call, answer)

    async def _change(self, call: Call, forward: Forward, zone_id: str) -> Answer:
        if self.clock.under_way("zone", zone_id):
            return xml_error(
                "PriorRequestNotComplete",
                "The request was rejected because Route 53 was still processing a prior request.",
            )
        self.clock.begin("zone", zone_id)
        answer = await asyncio.to_thread(self._refuse_changes, zone_id, call)
        answer = answer or await forward(call)
        if not answer.ok:
            self.clock.end("zone", zone_id)
        return answer

    def _as_it_is_now(self, call: Call, answer: Answer) -> Answer:
        if not answer.ok or not (found := CHANGE.search(answer.text)):
            return answer
        if call.method != "GET":
            self.clock.begin("change", found[1])
        if not self.clock.under_way("change", found[1]):
            return answer
        body = answer.text.replace("<Status>INSYNC</Status>", "<Status>PENDING</Status>")
        return answer.with_body(body.encode())

    def _refuse_zone(self, call: Call) -> Answer | None:
        reference = "" if call.xml is None else call.xml.findtext("{*}CallerReference", "")
        pages = self.reader.route53.get_paginator("list_hosted_zones").paginate()
        known = {zone["CallerReference"] for page in pages for zone in page["HostedZones"]}
        if reference not in known:
            return None
        return xml_error(
            "HostedZoneAlreadyExists",
            f"A hosted zone has already been created with the caller reference {reference}.",
            409,
        )

    def _refuse_changes(self, zone_id: str, call: Call) -> Answer | None:
        elements = [] if call.xml is None else call.xml.findall(".//{*}Change")
        changes = [Change.read(each) for each in elements]
        for change in changes:
            if problem := misshapen(change):
                return xml_error("InvalidInput", problem)
        try:
            found = self._problems(zone_id, changes)
        except self.reader.route53.exceptions.NoSuchHostedZone:
            return None  # MiniStack says so
        return xml_error("InvalidChangeBatch", f"[{', '.join(found)}]") if found else None

    def _problems(self, zone_id: str, changes: Sequence[Change]) -> list[str]:
        if found := list(is_too_large(changes)):
            return found
        apex = self.reader.route53.get_hosted_zone(Id=zone_id)["HostedZone"]["Name"]
        if found := [each for change in changes for each in problems(change, apex)]:
            return found
        types = self._types(zone_id)
        for change in changes:
            held = types.setdefault(change.name, set())
            (held.add if change.writes else held.discard)(change.type)
        return [
            each
            for change in changes
            if change.writes
            for each in misplaced(change, apex, types[change.name])
        ]

    def _types(self, zone_id: str) -> dict[str, set[str]]:
        """The types that each name of the zone has now."""
        types: dict[str, set[str]] = {}
        pages = self.reader.route53.get_paginator("list_resource_record_sets")
        for page in pages.paginate(HostedZoneId=zone_id):
            for record in page["ResourceRecordSets"]:
                types.setdefault(record["Name"].lower(), set()).add(record["Type"])
        return types
