"""What is asked for: of an account, and of a site."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Database:
    """One that was there already, with what a function needs to reach it and to be let in."""

    host: str
    port: int
    name: str
    user: str
    resource_id: str
    subnet_ids: tuple[str, ...]
    security_group_ids: tuple[str, ...]

    @property
    def attributes(self) -> dict[str, Any]:
        """In the words of ``DbInstance``."""
        return {
            "endpoint_address": self.host,
            "endpoint_port": self.port,
            "database_name": self.name,
            "user": self.user,
            "resource_id": self.resource_id,
            "subnet_ids": [*self.subnet_ids],
            "security_group_ids": [*self.security_group_ids],
        }


@dataclass(frozen=True)
class AccountSpec:
    """``uid``: 12 hex digits, from which every name is derived.

    ``headers``: the presets of security headers that its sites use. ``has_database``: the counters'
    database is its own. ``let_in``: security groups besides its own whose functions still reach it.
    """

    uid: str
    account_id: str
    region: str
    headers: frozenset[str] = frozenset({"standard"})
    has_database: bool = True
    let_in: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return f"cloudadmin-{self.uid}"

    @property
    def tags(self) -> dict[str, str]:
        return {
            "Name": self.name,
            "cloudadmin:account": self.uid,
            "cloudadmin:managed-by": "cloudadmin",
        }


@dataclass(frozen=True)
class SiteSpec:
    """``uid``: the site's UUID; every name on AWS is derived from its first 12 hex digits.

    ``name`` is the site's own, ``headers`` a preset of ``response_headers_policy``, or "none".
    ``leaving`` are domains that were taken from the site while records of ours still lead to it.
    ``keeps_counts``: the counter has counted, so without ``has_counter`` it rests, numbers and all.
    ``counter_slots``: the rows that share one number; more of them take more hits at once.
    ``database``: where it counts, if that is not the account's own.
    """

    uid: str
    name: str
    account_id: str
    region: str
    domains: tuple[str, ...] = ()
    has_counter: bool = True
    price_class: str = "PriceClass_100"
    headers: str = "standard"
    leaving: tuple[str, ...] = ()
    keeps_counts: bool = False
    counter_slots: int = 1
    database: Database | None = None

    @property
    def prefix(self) -> str:
        return f"cloudadmin-{self.uid.replace('-', '')[:12]}"

    @property
    def tags(self) -> dict[str, str]:
        return {
            "Name": self.name,
            "cloudadmin:site": self.uid,
            "cloudadmin:managed-by": "cloudadmin",
        }
