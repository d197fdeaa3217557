"""One look at an account and at the DNS: whatever two checks need is asked once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any

from sites.provisioning.resources.base import listed
from sites.provisioning.resources.record_set import find_zone

if TYPE_CHECKING:
    from cloudadmin.aws import Clients
    from sites.provisioning.preflight.dns import Dns


@dataclass(frozen=True)
class HostedZone:
    """A public one of the account, with the four name servers that answer for it."""

    id: str
    name: str
    name_servers: frozenset[str]


class Look:
    def __init__(self, clients: Clients, dns: Dns) -> None:
        self.clients = clients
        self.dns = dns
        self.hosted_zone = cache(self._hosted_zone)

    @cached_property
    def distributions(self) -> list[Any]:
        return [*listed(self.clients.cloudfront.list_distributions, "DistributionList")]

    def _hosted_zone(self, domain: str) -> HostedZone | None:
        """The one that records of the domain would go to."""
        zone_id = find_zone(self.clients, domain)
        if zone_id is None:
            return None
        zone = self.clients.route53.get_hosted_zone(Id=zone_id)
        servers = zone["DelegationSet"]["NameServers"]
        return HostedZone(
            zone_id,
            zone["HostedZone"]["Name"].rstrip("."),
            frozenset(server.rstrip(".").lower() for server in servers),
        )
