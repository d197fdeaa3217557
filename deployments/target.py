"""Where a site's releases go: read from the rows that provisioning recorded."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import filterfalse
from urllib.parse import urlsplit

from django.conf import settings

from deployments.errors import DeploymentRefused
from sites.models import Domain, Resource, Site
from sites.models.domain import base_of, is_wildcard


@dataclass(frozen=True)
class Target:
    """``hosts`` are all host names that lead to the site; the first is the distribution's own.

    ``redirects`` are those that shall send their visitors to another one. ``attached`` are the
    domains that every point of presence answers for; until a change of the distribution
    ``is_settled``, they are not known. Previews have their names below the ``preview_domains``.
    """

    bucket_name: str
    store_arn: str
    distribution_id: str
    hosts: tuple[str, ...]
    redirects: Mapping[str, str] = field(default_factory=dict)
    attached: frozenset[str] = frozenset()
    is_settled: bool = True
    preview_domains: tuple[str, ...] = ()


def target_of(site: Site) -> Target:
    """Raises DeploymentRefused when there is none."""
    state = Site.objects.filter(pk=site.pk).values_list("state", flat=True).first()
    if state in (None, Site.State.DESTROYING):
        raise DeploymentRefused(f"{site.name} is being destroyed.")
    rows = {
        row.logical_id: row
        for row in Resource.objects.filter(
            site=site, logical_id__in=["bucket", "key_value_store", "distribution"]
        ).exclude(physical_id="")
    }
    # Once live, a site goes on while its distribution is being changed.
    if len(rows) < 3 or not (state == Site.State.LIVE or all(r.is_ready for r in rows.values())):
        raise DeploymentRefused(
            f"{site.name} is not live yet (it is “{site.get_state_display()}”). "
            f"Run `manage.py provision_site {site.name} --wait` first."
        )
    distribution = rows["distribution"]
    domains = list(site.domains.all())
    first = first_of(domains)
    aliases = distribution.attributes.get("aliases", [])
    names = [*(domain.name for domain in domains), *aliases]
    hosts = [distribution.attributes["domain_name"], *filterfalse(is_wildcard, names)]
    return Target(
        bucket_name=rows["bucket"].physical_id,
        store_arn=rows["key_value_store"].attributes["arn"],
        distribution_id=distribution.physical_id,
        hosts=tuple(dict.fromkeys(hosts)),
        redirects={d.name: first.name for d in domains if d.redirects} if first else {},
        attached=frozenset(filterfalse(is_wildcard, aliases if distribution.is_ready else ())),
        is_settled=distribution.is_ready,
        preview_domains=tuple(dict.fromkeys(map(base_of, filter(is_wildcard, names)))),
    )


def first_of(domains: Iterable[Domain]) -> Domain | None:
    """The site's address: the first domain that does not redirect, and is not the previews'."""
    return next((d for d in domains if not (d.redirects or d.is_wildcard)), None)


def address(site: Site) -> str:
    """The address to open in a browser, or "" while the site has none."""
    distribution = Resource.objects.filter(site=site, logical_id="distribution").first()
    if distribution and not (distribution.is_ready or site.state == Site.State.LIVE):
        return ""
    return address_at(site, distribution, site.domains.all())


def address_at(site: Site, distribution: Resource | None, domains: Iterable[Domain]) -> str:
    """The first domain that serves and is attached, else the distribution's own name; on the local
    cloud the name that a browser resolves."""
    own = distribution.attributes.get("domain_name") if distribution else None
    if distribution is None or not own:
        return ""
    edge_url: str | None = settings.CLOUDADMIN_EDGE_URL
    if edge_url:
        edge = urlsplit(edge_url)
        return f"{edge.scheme}://{site.name}.localhost:{edge.port or 80}/"
    attached = distribution.attributes.get("aliases", [])
    first = first_of(domain for domain in domains if domain.name in attached)
    return f"https://{first.name if first else own}/"
