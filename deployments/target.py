"""Where a site's releases go: read from the rows that provisioning recorded."""

from __future__ import annotations

from dataclasses import dataclass

from deployments.errors import DeploymentRefused
from sites.models import Resource, Site


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
    if len(rows) < 3 or site.state == Site.State.DESTROYING:
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


def address(site: Site, edge_url: str | None) -> str:
    """The address to open in a browser, or "" while the site has none.

    The first domain once it is attached, else the distribution's own name; on the local cloud the
    name that a browser resolves.
    """
    row = Resource.objects.filter(site=site, logical_id="distribution", is_ready=True).first()
    if row is None:
        return ""
    if edge_url:
        scheme, _, rest = edge_url.partition("://")
        _, _, port = rest.partition(":")
        return f"{scheme}://{site.name}.localhost:{port}/" if port else f"{edge_url}/"
    attached = row.properties.get("aliases") or []
    first = site.domains.first()
    if first is not None and first.name in attached:
        return f"https://{first.name}/"
    return f"https://{row.attributes['domain_name']}/"
