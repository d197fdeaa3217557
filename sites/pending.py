"""What was saved of a site and AWS was not told of yet: told from rows, by what the site's
distribution was last asked for."""

from __future__ import annotations

from sites.models import Resource, Site
from sites.provisioning.stack import policy_id


def of_site(site: Site) -> list[str]:
    """In words; empty where there is no distribution, or what it was asked for is not known."""
    row = site.resources.filter(type="distribution").only("inputs").first()
    asked = row.inputs if row else {}
    found = []
    if asked.get("price_class", site.price_class) != site.price_class:
        found.append("where CloudFront answers from")
    policy, counter = asked.get("response_headers_policy_id"), asked.get("function_url_domain_name")
    if policy is not None and policy != _policy(site):
        found.append("the headers of its answers")
    if counter is not None and bool(counter) != site.has_counter:
        found.append("the visitor counter")
    return found + _domains(site, asked.get("aliases"))


def _domains(site: Site, aliases: list[str] | None) -> list[str]:
    """None: the certificate is waited for, and the operation that waits says so."""
    if aliases is None:
        return []
    wanted, had = set(site.domains.values_list("name", flat=True)), set(aliases)
    return [f"{name} joins" for name in sorted(wanted - had)] + [
        f"{name} leaves" for name in sorted(had - wanted)
    ]


def _policy(site: Site) -> str | None:
    """The id of its headers' policy: "" for none, None for one that is not made yet."""
    if site.headers == Site.Headers.NONE:
        return ""
    policies = Resource.objects.filter(account=site.account_id, site=None)
    ids = policies.filter(logical_id=policy_id(site.headers)).values_list("physical_id", flat=True)
    return ids.first()
