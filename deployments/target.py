"""Where a site's releases go: read from the rows that provisioning recorded."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

from django.conf import settings

from deployments.errors import DeploymentRefused
from sites.models import Domain, Resource, Site


@dataclass(frozen=True)
class Target:
    """``hosts`` are all host names that serve the site; the first is the distribution's own."""

    bucket_name: str
    store_arn: str
    distribution_id: str
    hosts: tuple[str, ...]


def target_of(site: Site) -> Target:
    rows = {
        row.logical_id: row
        for row in Resource.objects.filter(
            site=site,
            is_ready=True,
            logical_id__in=["bucket", "key_value_store", "distribution"],
        )
    }
    if not Site.objects.filter(pk=site.pk).exclude(state=Site.State.DESTROYING).exists():
        raise DeploymentRefused(f"{site.name} is being destroyed.")
    if len(rows) < 3:
        raise DeploymentRefused(
            f"{site.name} is not live yet (it is “{site.get_state_display()}”). "
            f"Run `manage.py provision_site {site.name} --wait` first."
        )
    return Target(
        bucket_name=rows["bucket"].physical_id,
        store_arn=rows["key_value_store"].attributes["arn"],
        distribution_id=rows["distribution"].physical_id,
        hosts=(
            rows["distribution"].attributes["domain_name"],
            *site.domains.values_list("name", flat=True),
        ),
    )


def address(site: Site) -> str:
    """The address to open in a browser, or "" while the site has none."""
    distribution = Resource.objects.filter(
        site=site, logical_id="distribution", is_ready=True
    ).first()
    return address_at(site, distribution, site.domains.all())


def address_at(site: Site, distribution: Resource | None, domains: Iterable[Domain]) -> str:
    """The first domain once it is attached, else the distribution's own name; on the local cloud
    the name that a browser resolves."""
    own = distribution.attributes.get("domain_name") if distribution else None
    if distribution is None or not own:
        return ""
    edge_url: str | None = settings.CLOUDADMIN_EDGE_URL
    if edge_url:
        edge = urlsplit(edge_url)
        return f"{edge.scheme}://{site.name}.localhost:{edge.port or 80}/"
    attached = distribution.properties.get("aliases") or []
    return f"https://{next((d.name for d in domains if d.name in attached), own)}/"
