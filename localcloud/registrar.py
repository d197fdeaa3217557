"""The registrar: to which name servers a domain is delegated.

What it was not told is delegated to the hosted zones that have the name, the first created one.
``/_localcloud/registrar`` answers here; see docs/local-cloud.md.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import dns.exception
import dns.name
import dns.rrset
from dns.name import Name

from localcloud.proxy import body_of, reply
from localcloud.wire import Answer

TTL = 300


class BadDelegation(ValueError):
    """What was asked for cannot be; the text says why."""


@dataclass(frozen=True)
class Delegation:
    """``records`` are what the other DNS answers, where the name servers are not Route 53's."""

    domain: Name
    name_servers: tuple[Name, ...]
    records: tuple[dns.rrset.RRset, ...] = ()
    document: Mapping[str, Any] = field(default_factory=dict, compare=False)

    @classmethod
    def read(cls, document: Any) -> Delegation:
        """From ``{"domain", "name_servers", "records": [{"name", "type", "value", "ttl"}]}``.

        Raises BadDelegation.
        """
        try:
            domain = dns.name.from_text(document["domain"])
            servers = tuple(map(dns.name.from_text, _texts(document["name_servers"])))
            records = tuple(map(_record, document.get("records", [])))
        except KeyError as error:
            raise BadDelegation(f"{error.args[0]!r} is missing") from error
        except (AttributeError, TypeError, dns.exception.DNSException) as error:
            raise BadDelegation(f"{type(error).__name__}: {error}") from error
        for record in records:
            if not record.name.is_subdomain(domain):
                raise BadDelegation(f"{record.name} is not in {domain}")
        return cls(domain, servers, records, document)


def _texts(value: Any) -> list[str]:
    if not isinstance(value, list) or not value:
        raise BadDelegation("'name_servers' is a list of one or more names")
    return value


def _record(line: Any) -> dns.rrset.RRset:
    """Values are as in a zone file; the names in them end with a dot or not."""
    return dns.rrset.from_text_list(
        dns.name.from_text(line["name"]),
        int(line.get("ttl", TTL)),
        "IN",
        line["type"],
        [line["value"]],
        origin=dns.name.root,
        relativize=False,
    )


class Registrar:
    """ASGI app. What it knows is one small JSON file."""

    def __init__(self, ledger: Path) -> None:
        self.ledger = ledger
        known = json.loads(ledger.read_text()) if ledger.exists() else {}
        self.delegations: dict[Name, Delegation] = {}
        for document in known.get("domains", []):
            self._put(Delegation.read(document))
        self._zones: list[str] = known.get("zones", [])

    # --- the order in which zones came ----------------------------------------------------------

    def zone_created(self, zone_id: str) -> None:
        if zone_id not in self._zones:
            self._zones.append(zone_id)
            self._save()

    def zone_deleted(self, zone_id: str) -> None:
        if zone_id in self._zones:
            self._zones.remove(zone_id)
            self._save()

    def age(self, zone_id: str) -> tuple[int, str]:
        """The sort key that puts the first created zone first, and those that nobody saw last."""
        known = self._zones
        return (known.index(zone_id) if zone_id in known else len(known), zone_id)

    # --- the page -------------------------------------------------------------------------------

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body = b"".join([chunk async for chunk in body_of(receive)])
        try:
            await reply(send, self._answer(scope["method"], scope["query_string"], body))
        except ValueError as error:
            await reply(send, _json({"error": f"/_localcloud/registrar: {error}"}, 400))

    def _answer(self, method: str, query: bytes, body: bytes) -> Answer:
        match method:
            case "GET":
                pass
            case "POST":
                self._put(Delegation.read(json.loads(body)))
                self._save()
            case "DELETE":
                for domain in parse_qs(query.decode()).get("domain", []):
                    self.delegations.pop(dns.name.from_text(domain), None)
                if not query:
                    self.delegations.clear()
                self._save()
            case _:
                return _json({"error": f"{method} is not possible here"}, 405)
        return _json([each.document for each in self.delegations.values()])

    def _put(self, delegation: Delegation) -> None:
        self.delegations[delegation.domain] = delegation

    def _save(self) -> None:
        domains = [each.document for each in self.delegations.values()]
        draft = self.ledger.with_suffix(".new")
        draft.write_text(json.dumps({"domains": domains, "zones": self._zones}))
        draft.replace(self.ledger)


def _json(document: object, status: int = 200) -> Answer:
    return Answer(status, [("Content-Type", "application/json")], json.dumps(document).encode())
