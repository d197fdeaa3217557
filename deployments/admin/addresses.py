"""The addresses of many sites in two queries; ``deployments.target.address`` asks for one."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from django.conf import settings
from django.db.models import Prefetch, QuerySet

from sites.models import Resource, Site

if TYPE_CHECKING:

    class SiteWithAddress(Site):
        distributions: list[Resource]

        class Meta:
            abstract = True


def with_addresses(sites: QuerySet[Site]) -> QuerySet[Site]:
    """Sites that ``address_of`` answers for without a query."""
    ready = Resource.objects.filter(logical_id="distribution", is_ready=True)
    return sites.prefetch_related(
        "domains", Prefetch("resources", queryset=ready, to_attr="distributions")
    )


def address_of(site: Site) -> str:
    """The address to open in a browser, or "" while the site has none."""
    distributions = cast("SiteWithAddress", site).distributions
    if not distributions:
        return ""
    edge_url: str | None = settings.CLOUDADMIN_EDGE_URL
    if edge_url:
        scheme, _, rest = edge_url.partition("://")
        _, _, port = rest.partition(":")
        return f"{scheme}://{site.name}.localhost:{port}/" if port else f"{edge_url}/"
    attached = distributions[0].properties.get("aliases") or []
    first = next(iter(site.domains.all()), None)
    if first is not None and first.name in attached:
        return f"https://{first.name}/"
    own = distributions[0].attributes.get("domain_name")
    return f"https://{own}/" if own else ""
