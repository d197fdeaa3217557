"""The pages of sites with what was deployed to them: registered here, where both are known."""

from __future__ import annotations

from functools import partial
from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import Prefetch, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from deployments import lane, previews
from deployments.admin.actions import Invalidate
from deployments.admin.addresses import address_of, with_addresses
from deployments.admin.attention import FAILED_DEPLOYMENT
from deployments.admin.bulk import BulkMixin
from deployments.admin.deploy import Deploy, DeployForm
from deployments.admin.keeping import (
    Keep,
    Maintenance,
    MaintenanceOff,
    Protect,
    Unprotect,
    space_context,
)
from deployments.admin.publishing import (
    Cancel,
    ClosePreview,
    Lock,
    Publish,
    Resume,
    Retry,
    Rollback,
    Unlock,
)
from deployments.admin.shown import shown, under_way
from deployments.models import Deployment, DeploySettings, Invalidation
from sites.admin.actions import Destroy, SiteAction, SyncVisits
from sites.admin.attention import REASONS, Attention
from sites.admin.base import ago
from sites.admin.plan import Provision
from sites.admin.site import SiteAdmin as BaseSiteAdmin
from sites.models import Site
from sites.people import Act, get_for

DEPLOYMENTS_SHOWN = 15
INVALIDATIONS_SHOWN = 5
UNDER_WAY_SHOWN = 8
PREVIEWS_SHOWN = 25


@admin.register(Site)
class SiteAdmin(BulkMixin, BaseSiteAdmin):
    list_display = ("site", "state_badge", "address", "current", "visits", "created")
    more_filters = (Attention(*REASONS, FAILED_DEPLOYMENT), *BaseSiteAdmin.more_filters[1:])
    change_form_template = "deployments/site.html"
    panel_template = "deployments/panel.html"
    site_actions = (Deploy(), Provision(), Rollback(), Invalidate(), SyncVisits(), Destroy())
    panel_actions: ClassVar[tuple[SiteAction, ...]] = (
        *(Publish(), Cancel(), Retry(), ClosePreview(), Lock(), Unlock(), Resume()),
        *(Keep(), Maintenance(), MaintenanceOff(), Protect(), Unprotect()),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Site]:
        published = Deployment.objects.filter(is_published=True).defer("manifest")
        return with_addresses(super().get_queryset(request)).prefetch_related(
            Prefetch("deployments", queryset=published, to_attr="published")
        )

    @admin.display(description="address")
    def address(self, site: Site) -> SafeString | None:
        url = address_of(site)
        if not url:
            return None
        return format_html(
            '<a class="address" href="{}" target="_blank" rel="noopener">{}</a>',
            url,
            url.partition("://")[2].rstrip("/"),
        )

    @admin.display(description="deployment")
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

    def add_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return redirect("new-site")

    def get_urls(self) -> list[URLPattern]:
        """The actions that have their buttons beside what they are about, and the slow part."""
        wrap = self.admin_site.admin_view
        acts = [
            path(
                f"<int:pk>/{action.slug}/",
                wrap(partial(self._act, action)),
                name=f"sites_site_{action.slug}",
            )
            for action in self.panel_actions
        ]
        space = path("<int:pk>/space/", wrap(self._space), name="sites_site_space")
        return [*acts, space, *super().get_urls()]

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        site = kwargs.get("obj")
        if site is not None:
            context["deploy_form"] = DeployForm(site=site)
        return super().render_change_form(request, context, *args, **kwargs)

    def _space(self, request: HttpRequest, pk: int) -> HttpResponse:
        site = get_for(request.user, Act.VIEW, self._sites(), pk=pk)
        return render(request, "deployments/space.html", space_context(site))

    def panel_context(self, request: HttpRequest, site: Site) -> dict[str, Any]:
        context = super().panel_context(request, site)
        may = {action.slug for action in context["site_actions"]}
        deployments = site.deployments.select_related("creator").defer("manifest")
        rows = list(deployments[:DEPLOYMENTS_SHOWN])
        active = list(deployments.filter(state__in=Deployment.ACTIVE))
        published = deployments.filter(is_published=True).first()
        invalidations = list(site.invalidations.all()[:INVALIDATIONS_SHOWN])
        asked = [row for row in invalidations if row.status in Invalidation.ACTIVE]
        (addressed,) = with_addresses(Site.objects.filter(pk=site.pk))
        return context | {
            "address": address_of(addressed),
            "deployments": shown(site, rows, published),
            "published": published,
            "under_way": under_way(active)[:UNDER_WAY_SHOWN],
            "under_way_count": len(active),
            "invalidations": invalidations,
            "may_publish": Rollback.slug in may,
            "is_refreshed": context["is_refreshed"] or bool(active or asked),
            **previews_context(addressed),
            **stopped_context(site),
        }


def previews_context(site: Site) -> dict[str, Any]:
    """The site's previews, the newest first; ``site`` comes with its domains."""
    listed = previews.listed(site)
    rows = list(listed[: PREVIEWS_SHOWN + 1])
    wildcards = [domain.name for domain in site.domains.all() if domain.is_wildcard]
    # They differ in their first label alone.
    first = previews.url_of(rows[0]) if rows else ""
    scheme, _, host = first.partition("://")
    base = host.partition(".")[2]
    return {
        "previews": [(row, f"{scheme}://{row.label}.{base}") for row in rows[:PREVIEWS_SHOWN]],
        "preview_count": listed.count() if len(rows) > PREVIEWS_SHOWN else len(rows),
        "preview_domain": next(iter(wildcards), ""),
    }


def stopped_context(site: Site) -> dict[str, Any]:
    """Whether deployments are published by themselves; makes no row."""
    row = DeploySettings.objects.filter(site=site).first() or DeploySettings(site=site)
    is_locked = lane.is_locked(row)
    is_stopped = is_locked or bool(row.held_back)
    return {
        "settings": row,
        "is_locked": is_locked,
        "ready": lane.ready(site) if is_stopped else None,
    }
