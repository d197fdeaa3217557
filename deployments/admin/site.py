"""The pages of sites with what was deployed to them: registered here, where both are known."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Prefetch, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from deployments.admin.actions import Deploy, Invalidate, Rollback
from deployments.admin.addresses import address_of, with_addresses
from deployments.models import Deployment, Invalidation
from sites.admin.actions import Destroy, SyncVisits
from sites.admin.base import ago
from sites.admin.plan import Provision
from sites.admin.site import SiteAdmin as BaseSiteAdmin
from sites.models import Site

DEPLOYMENTS_SHOWN = 15
INVALIDATIONS_SHOWN = 5


@admin.register(Site)
class SiteAdmin(BaseSiteAdmin):
    list_display = ("name", "state_badge", "address", "current", "visits", "created")
    panel_template = "deployments/panel.html"
    site_actions = (Deploy(), Provision(), Rollback(), Invalidate(), SyncVisits(), Destroy())

    def get_queryset(self, request: HttpRequest) -> QuerySet[Site]:
        published = Deployment.objects.filter(is_published=True).defer("manifest")
        return with_addresses(super().get_queryset(request)).prefetch_related(
            Prefetch("deployments", queryset=published, to_attr="published")
        )

    @admin.display(description="address", empty_value="–")
    def address(self, site: Site) -> SafeString | None:
        url = address_of(site)
        if not url:
            return None
        return format_html(
            '<a class="address" href="{}" target="_blank" rel="noopener">{}</a>',
            url,
            url.partition("://")[2].rstrip("/"),
        )

    @admin.display(description="deployment", empty_value="–")
    def current(self, site: Any) -> SafeString | None:
        if not site.published:
            return None
        deployment = site.published[0]
        return format_html(
            '<a href="{}">#{}</a> <span class="muted">{} {}</span>',
            reverse("admin:deployments_deployment_change", args=[deployment.pk]),
            deployment.number,
            ago(deployment.published_at),
            deployment.description,
        )

    def panel_context(self, request: HttpRequest, site: Site) -> dict[str, Any]:
        context = super().panel_context(request, site)
        rows = list(
            site.deployments.select_related("creator").defer("manifest")[:DEPLOYMENTS_SHOWN]
        )
        under_way = next((row for row in rows if row.state in Deployment.ACTIVE), None)
        published = site.deployments.filter(is_published=True).defer("manifest").first()
        invalidations = list(site.invalidations.all()[:INVALIDATIONS_SHOWN])
        active = [row for row in invalidations if row.status in Invalidation.ACTIVE]
        (addressed,) = with_addresses(Site.objects.filter(pk=site.pk))
        return context | {
            "address": address_of(addressed),
            "deployments": rows,
            "published": published,
            "under_way": under_way,
            "invalidations": invalidations,
            "may_publish": any(action.slug == "rollback" for action in context["site_actions"]),
            "is_refreshed": context["is_refreshed"] or bool(under_way or active),
        }
