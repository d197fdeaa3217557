"""May Amazon issue a certificate? What CAA records say, RFC 8659.

https://docs.aws.amazon.com/acm/latest/userguide/setup-caa.html
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import dns.name
from dns.name import Name

from localcloud.dns.zone import suffixes

AMAZON = frozenset({b"amazon.com", b"amazontrust.com", b"awstrust.com", b"amazonaws.com"})
KNOWN = frozenset({b"issue", b"issuewild", b"iodef"})
CRITICAL = 128


def allows(domain_name: str, ask: Callable[[Name], Sequence[Any]]) -> bool:
    """``ask``: the CAA records of one name, CNAMEs followed."""
    is_wildcard = domain_name.startswith("*.")
    for name in reversed(suffixes(dns.name.from_text(domain_name.removeprefix("*.")))):
        if records := ask(name):
            return set_allows(records, is_wildcard=is_wildcard)
    return True


def set_allows(records: Sequence[Any], *, is_wildcard: bool) -> bool:
    """``issuewild`` takes the place of ``issue`` for wildcards, and matters to nothing else."""
    by_tag: dict[bytes, list[bytes]] = {}
    for record in records:
        tag = record.tag.lower()
        if record.flags & CRITICAL and tag not in KNOWN:
            return False
        by_tag.setdefault(tag, []).append(record.value)
    tag = b"issuewild" if is_wildcard and b"issuewild" in by_tag else b"issue"
    issuers = by_tag.get(tag)
    return issuers is None or any(_issuer(value) in AMAZON for value in issuers)


def _issuer(value: bytes) -> bytes:
    """Of ``issuer; parameter=value``."""
    return value.partition(b";")[0].strip().lower()
