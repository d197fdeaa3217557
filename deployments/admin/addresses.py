"""The addresses of many sites in two queries; ``deployments.target.address`` asks for one."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from django.db.models import Prefetch, QuerySet

from deployments.target import address_at
from sites.models import Domain, Resource, Site

if TYPE_CHECKING:

    class SiteWithAddress(Site):
        distributions: list[Resource]
        names: list[Domain]

        class Meta:
            abstract = True


def with_addresses(sites: QuerySet[Site]) -> QuerySet[Site]:
    """Sites that ``address_of`` answers for without a query."""
    ready = Resource.objects.filter(logical_id="distribution", is_ready=True)
    # Lists, for a manager of each of many rows costs more than the rows.
    return sites.prefetch_related(
        Prefetch("domains", to_attr="names"),
        Prefetch("resources", queryset=ready.only("site", "attributes"), to_attr="distributions"),
    )


def address_of(site: Site) -> str:
    """The address to open in a browser, or "" while the site has none."""
    known = cast("SiteWithAddress", site)
    return address_at(site, next(iter(known.distributions), None), known.names)
