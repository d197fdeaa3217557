"""The token's site."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from ninja import Router

from deployments import lane
from deployments.api.access import site_of
from deployments.api.problems import refusals
from deployments.api.schemas import SiteOut
from deployments.models import Deployment, DeploySettings, Scope
from deployments.target import address, target_of
from sites.certificates import Lifetime
from sites.errors import Refused
from sites.models import Site

router = Router(tags=["site"])


@router.get("/sites/{site}", response={200: SiteOut, **refusals()})
def get_site(request: HttpRequest, site: str) -> dict[str, Any]:
    """The site, its addresses, and whether deployments are published by themselves."""
    return shown(site_of(request, site, Scope.READ))


def shown(site: Site) -> dict[str, Any]:
    row = DeploySettings.objects.filter(site=site).first()
    certificates = site.resources.filter(type="certificate")
    published = Deployment.objects.filter(site=site, is_published=True)
    return {
        "name": site.name,
        "state": site.state,
        "url": address(site),
        "hosts": _hosts(site),
        "certificates": [Lifetime(row).as_json() for row in certificates],
        "deployment": published.values_list("number", flat=True).first(),
        "lock": row if row and lane.is_locked(row) else None,
        "held_back": row.held_back if row else "",
    }


def _hosts(site: Site) -> tuple[str, ...]:
    try:
        return target_of(site).hosts
    except Refused:  # nothing is there yet
        return ()
