"""Whether something else has a name of the site: a distribution, or a record."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from sites.provisioning.preflight.dns import DnsBroken
from sites.provisioning.preflight.findings import Finding
from sites.provisioning.preflight.look import HostedZone, Look
from sites.provisioning.resources.record_set import records_at

CLOUDFRONT = ".cloudfront.net"


def held_here(look: Look, name: str, domains: Iterable[str]) -> Iterator[Finding]:
    """Names that another distribution of the account has: CloudFront would refuse the update.

    ``name`` is the site's own on AWS, its distribution's comment.
    """
    for domain in domains:
        for item in look.distributions:
            if item["Comment"] != name and domain in item["Aliases"].get("Items", []):
                yield _held(look, domain, item)


def _held(look: Look, domain: str, item: Any) -> Finding:
    tags = look.clients.cloudfront.list_tags_for_resource(Resource=item["ARN"])["Tags"]
    named = {tag["Key"]: tag.get("Value", "") for tag in tags.get("Items", [])}
    site = named.get("Name") if "cloudadmin:site" in named else None
    whose = f"that of the site “{site}”" if site else f"“{item['Comment']}”"
    where = f"from the site “{site}”" if site else f"from {item['Id']}, in CloudFront's console"
    return Finding(
        "alias",
        domain,
        f"{domain} is an alias of the distribution {item['Id']}, {whose}; CloudFront gives a name "
        "to one distribution alone.",
        f"Remove the domain {where}, or leave it out here.",
        blocks=True,
        domains=(domain,),
    )


def seen_elsewhere(look: Look, name: str, domains: Iterable[str]) -> Iterator[Finding]:
    """Names that the DNS, or a record of the zone, points elsewhere.

    Told, and no more: AWS may never refuse it, since a record proves no alias, and a site that
    moves here is best made while its old address still answers.
    """
    for domain in domains:
        zone = look.hosted_zone(domain)
        where = _in_zone(look, name, zone, domain) if zone else _in_dns(look, name, domain)
        yield from where


def _in_zone(look: Look, name: str, zone: HostedZone, domain: str) -> Iterator[Finding]:
    own = _own(look, name)
    for record in records_at(look.clients, zone.id, domain):
        alias = record.get("AliasTarget", {}).get("DNSName", "").rstrip(".")
        if alias in own:
            continue
        target = alias or ", ".join(each["Value"] for each in record.get("ResourceRecords", []))
        yield Finding(
            "alias",
            domain,
            f"The hosted zone {zone.name} has a record {domain} {record['Type']} -> "
            f"{target.rstrip('.')}, which is not ours to overwrite.",
            "Delete it in Route 53 when the site may take over; the site waits for that, and is "
            "live on its own address meanwhile.",
            domains=(domain,),
        )


def _in_dns(look: Look, name: str, domain: str) -> Iterator[Finding]:
    own = _own(look, name)
    try:
        chain = look.dns.chain(domain)
    except DnsBroken:
        return
    for target in chain:
        if target.endswith(CLOUDFRONT) and target not in own:
            yield Finding(
                "alias",
                domain,
                f"The DNS leads {domain} to {target}, a distribution that is not this site's; if "
                "it has the name as an alias, CloudFront will refuse it here.",
                f"Remove {domain} from that distribution, or have AWS move it: "
                "https://repost.aws/knowledge-center/resolve-cnamealreadyexists-error",
                domains=(domain,),
            )


def _own(look: Look, name: str) -> set[str]:
    """Where CloudFront has the site itself."""
    return {item["DomainName"] for item in look.distributions if item["Comment"] == name}
