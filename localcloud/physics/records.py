"""What Route 53 thinks of the records in a change batch.

https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/ResourceRecordTypes.html
https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/DomainNameFormat.html
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element

import dns.exception
import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype

# https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/DNSLimitations.html#limits-api-requests-changeresourcerecordsets
BATCH_RECORDS = 1000
BATCH_CHARACTERS = 32_000
TEXT = 255
# The strings of a TXT value, each in quotation marks, with spaces between.
QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"(?:[ \t]+|$)', re.DOTALL)
ESCAPED = re.compile(r"\\(?:[0-7]{3}|.)", re.DOTALL)


@dataclass(frozen=True)
class Change:
    """One line of a change batch; names end with a dot."""

    action: str
    name: str
    type: str
    values: tuple[str, ...]
    is_alias: bool = False
    has_ttl: bool = True

    @classmethod
    def read(cls, element: Element) -> Change:
        values = element.findall(".//{*}ResourceRecord/{*}Value")
        return cls(
            element.findtext("{*}Action", ""),
            element.findtext(".//{*}Name", "").lower().rstrip(".") + ".",
            element.findtext(".//{*}Type", ""),
            tuple(value.text or "" for value in values),
            element.find(".//{*}AliasTarget") is not None,
            element.find(".//{*}TTL") is not None,
        )

    @property
    def writes(self) -> bool:
        return self.action != "DELETE"


def is_too_large(changes: Sequence[Change]) -> Iterator[str]:
    """An UPSERT counts twice."""
    times = {"UPSERT": 2}
    counted = [(times.get(change.action, 1), change) for change in changes]
    if sum(n * max(1, len(change.values)) for n, change in counted) > BATCH_RECORDS:
        yield f"Number of records limit of {BATCH_RECORDS} exceeded."
    if sum(n * len(value) for n, change in counted for value in change.values) > BATCH_CHARACTERS:
        yield f"Number of characters limit of {BATCH_CHARACTERS} exceeded."


def misshapen(change: Change) -> str:
    """What makes a change no change at all (InvalidInput); empty for nothing."""
    ways = [change.is_alias, change.has_ttl or bool(change.values)]
    if sum(ways) == 1 and change.has_ttl == bool(change.values):
        return ""
    return (
        "Invalid request: Expected exactly one of [AliasTarget, all of [TTL, and "
        "ResourceRecords], or TrafficPolicyInstanceId], but found "
        f"{'more than one' if all(ways) else 'none'} in Change with "
        f"[Action={change.action}, Name={change.name}, Type={change.type}, SetIdentifier=null]"
    )


def problems(change: Change, apex: str) -> Iterator[str]:
    """With the name and the values of one change, whatever else is in the zone."""
    yield from bad_name(change.name)
    if change.name != apex and not change.name.endswith(f".{apex}"):
        yield f"RRSet with DNS name {change.name} is not permitted in zone {apex}"
    if not change.writes:
        if change.name == apex and change.type == "SOA":
            yield "A HostedZone must contain exactly one SOA record."
        if change.name == apex and change.type == "NS":
            yield "A HostedZone must contain at least one NS record for the zone itself."
        return
    for value in change.values:
        if change.values.count(value) > 1:
            yield f"Duplicate Resource Record: '{value}'"
        if problem := bad_value(change.type, value):
            yield f"Invalid Resource Record: 'FATAL problem: {problem} encountered with '{value}''"


def bad_name(name: str) -> Iterator[str]:
    try:
        dns.name.from_text(name)
    except dns.name.LabelTooLong:
        yield _fatal("DomainLabelTooLong (Domain label is too long)", name)
    except dns.name.EmptyLabel:
        yield _fatal("DomainLabelEmpty (Domain label is empty)", name)
    except dns.exception.DNSException:
        yield _fatal("DomainNameTooLong (Domain name is too long)", name)


def _fatal(problem: str, name: str) -> str:
    return f"FATAL problem: {problem} encountered with '{name}'"


def bad_value(kind: str, value: str) -> str:
    """What is wrong with a value of that type; empty for nothing."""
    return VALUES.get(kind, _bad_syntax)(kind, value)


def _bad_ipv4(kind: str, value: str) -> str:
    try:
        ipaddress.IPv4Address(value)
    except ValueError:
        return "ARRDATAIllegalIPv4Address (Value is not a valid IPv4 address)"
    return ""


def _bad_ipv6(kind: str, value: str) -> str:
    try:
        ipaddress.IPv6Address(value)
    except ValueError:
        return "AAAARRDATAIllegalIPv6Address (Value is not a valid IPv6 address)"
    return ""


def _bad_text(kind: str, value: str) -> str:
    strings = QUOTED.findall(value)
    if not value or QUOTED.sub("", value):
        return "InvalidCharacterString (Value should be enclosed in quotation marks)"
    if any(len(ESCAPED.sub("x", each)) > TEXT for each in strings):
        return "CharacterStringTooLong (Value is too long)"
    return ""


def _bad_syntax(kind: str, value: str) -> str:
    try:
        dns.rdata.from_text(dns.rdataclass.IN, dns.rdatatype.from_text(kind), value)
    except (dns.exception.DNSException, ValueError):
        return f"{kind}RRDATAInvalid (Value is no {kind} record)"
    return ""


VALUES: Mapping[str, Callable[[str, str], str]] = {
    "A": _bad_ipv4,
    "AAAA": _bad_ipv6,
    "SPF": _bad_text,
    "TXT": _bad_text,
}


def misplaced(change: Change, apex: str, types: set[str]) -> Iterator[str]:
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
