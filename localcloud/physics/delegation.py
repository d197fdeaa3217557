"""Name servers: each public hosted zone has four of its own.

MiniStack gives all zones the same four, so they are exchanged on the way, in both directions: by
the zone's id alone, so that nothing has to be remembered.
https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/SOA-NSrecords.html
"""

from __future__ import annotations

import hashlib
import re

from localcloud.physics import Forward, Rule
from localcloud.registrar import Registrar
from localcloud.wire import Answer, Call

MINISTACK = (
    "ns-1.awsdns-1.com",
    "ns-2.awsdns-2.net",
    "ns-3.awsdns-3.org",
    "ns-4.awsdns-4.co.uk",
)
ZONE = re.compile(r"/hostedzone/(Z[A-Z0-9]+)")
ONE_ZONE = re.compile(r"/[0-9-]+/hostedzone/Z[A-Z0-9]+")


def name_servers(zone_id: str) -> tuple[str, str, str, str]:
    """In Route 53's own pattern, such as ``ns-1687.awsdns-18.co.uk``: 512 in each of four."""
    digest = hashlib.sha256(zone_id.encode()).digest()
    one, two, three, four = (int.from_bytes(digest[n : n + 2], "big") % 512 for n in range(0, 8, 2))
    return (
        f"ns-{one}.awsdns-{one // 8:02}.com",
        f"ns-{512 + two}.awsdns-{two // 8:02}.net",
        f"ns-{1024 + three}.awsdns-{three // 8:02}.org",
        f"ns-{1536 + four}.awsdns-{four // 8:02}.co.uk",
    )


def to_own(zone_id: str, text: str) -> str:
    """What MiniStack says of a zone, with the zone's own name servers in it."""
    return _exchanged(text, MINISTACK, name_servers(zone_id))


def to_ministack(zone_id: str, text: str) -> str:
    return _exchanged(text, name_servers(zone_id), MINISTACK)


def _exchanged(text: str, old: tuple[str, ...], new: tuple[str, ...]) -> str:
    for before, after in zip(old, new, strict=True):
        text = text.replace(before, after)
    # The API names servers without the dot that ends them in records.
    return re.sub(r"\.</NameServer>", "</NameServer>", text)


class OwnNameServers:
    """Around the rule of Route 53; tells the registrar which zones come and go."""

    def __init__(self, rule: Rule, registrar: Registrar) -> None:
        self.rule = rule
        self.registrar = registrar

    async def __call__(self, call: Call, forward: Forward) -> Answer:
        asked = ZONE.search(call.decoded_path)
        if asked and call.body:
            body = to_ministack(asked[1], call.body.decode("latin-1"))
            call = call.with_body(body.encode("latin-1"))
        answer = await self.rule(call, forward)
        if not answer.ok:
            return answer
        zone = asked or (ZONE.search(answer.text) if call.method == "POST" else None)
        if zone is None:
            return answer
        if call.method == "POST" and not asked:
            self.registrar.zone_created(zone[1])
        elif call.method == "DELETE" and ONE_ZONE.fullmatch(call.decoded_path):
            self.registrar.zone_deleted(zone[1])
        return answer.with_body(to_own(zone[1], answer.text).encode())
