"""What can be done to a site that is served; the base of those, and the smallest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from sites.admin.actions import SiteAction
from sites.models import Site

if TYPE_CHECKING:
    from sites.admin.base import ModelAdmin

# What a release needs of its site.
DEPLOY = "deployments.add_deployment"
SERVING = frozenset({"bucket", "key_value_store", "distribution"})


class ServingAction(SiteAction):
    """Offered once there is something to publish to."""

    def is_offered(self, site: Site, ready: frozenset[str]) -> bool:
        return ready >= SERVING and site.state != Site.State.DESTROYING


class Invalidate(ServingAction):
    """Has a page of its own, with the plan, what is under way and the ledger."""

    slug, title, icon = "invalidate", "Invalidate paths", "cached"
    permission = DEPLOY

    def view(self, request: HttpRequest, site: Site, model_admin: ModelAdmin[Site]) -> HttpResponse:
        self.require(request, site)
        return redirect("admin:deployments_invalidation_site", site.pk)
