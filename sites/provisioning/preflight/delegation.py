"""Whether the world asks Route 53 for a domain: the registrar's name servers are the zone's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from sites.provisioning.preflight.dns import Dns, DnsBroken
from sites.provisioning.preflight.findings import Finding, listed
from sites.provisioning.preflight.look import HostedZone, Look
from sites.provisioning.resources.record_set import base_of


def delegation(look: Look, domains: Iterable[str]) -> Iterator[Finding]:
    """One finding for each zone. None blocks: a site is live on its own name without any DNS."""
    hosted: dict[HostedZone, list[str]] = {}
    elsewhere: dict[str, list[str]] = {}
    shown: dict[str, frozenset[str]] = {}
    for domain in domains:
        if zone := look.hosted_zone(domain):
            hosted.setdefault(zone, []).append(domain)
        else:
            name, shown[name] = authority(look.dns, domain)
            elsewhere.setdefault(name, []).append(domain)
    for zone, names in hosted.items():
        yield from _of_zone(look.dns, zone, tuple(names))
    for name, names in elsewhere.items():
        yield _without_zone(name, shown[name], tuple(names))


def authority(dns: Dns, domain: str) -> tuple[str, frozenset[str]]:
    """Who answers for a domain: the zone that it is in, and its name servers.

    The domain's last two labels, and none, when nobody does.
    """
    name = base_of(domain)
    while True:
        try:
            servers = dns.name_servers(name)
        except DnsBroken:
            return name, frozenset()
        if servers or name.count(".") < 2:
            return name, servers
        name = name.partition(".")[2]


def _of_zone(dns: Dns, zone: HostedZone, domains: tuple[str, ...]) -> Iterator[Finding]:
    try:
        shown = dns.name_servers(zone.name)
    except DnsBroken:
        said = (
            f"The name servers that the registrar of {zone.name} shows do not answer for it; "
            "perhaps they are those of a hosted zone that was deleted."
        )
    else:
        strangers = shown - zone.name_servers
        if shown and not strangers:
            return
        said = _mismatch(zone.name, shown, strangers)
    todo = f"Name these at the registrar, and no others: {listed(zone.name_servers)}."
    yield Finding("delegation", zone.name, said, todo, domains=domains)


def _mismatch(name: str, shown: frozenset[str], strangers: frozenset[str]) -> str:
    if not shown:
        return f"The DNS knows no name servers of {name}: it is not registered, or not delegated."
    if strangers == shown:
        return (
            f"The registrar of {name} shows {listed(shown)}, not the name servers of its hosted "
            "zone in Route 53."
        )
    return (
        f"The registrar of {name} shows {listed(strangers)} beside Route 53's name servers; "
        "they may answer otherwise."
    )


def _without_zone(name: str, shown: frozenset[str], domains: tuple[str, ...]) -> Finding:
    seen = f"its name servers are {listed(shown)}" if shown else "nobody answers for it"
    return Finding(
        "delegation",
        name,
        f"Route 53 has no hosted zone for {listed(domains)} in this account; {seen}.",
        ways_out(name, "the records that are told once it is provisioned"),
        domains=domains,
    )


def ways_out(name: str, records: str) -> str:
    """What to do for a domain without a hosted zone."""
    return (
        f"Create the hosted zone {name} in Route 53 and name its servers at the registrar, or add "
        f"to your own DNS {records}."
    )
