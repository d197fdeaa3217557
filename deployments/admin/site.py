"""The pages of sites with what was deployed to them: registered here, where both are known."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import Count, Exists, OuterRef, Prefetch, Q, QuerySet, Sum
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from deployments import lane, previews
from deployments.admin.actions import Invalidate
from deployments.admin.addresses import address_of, with_addresses
from deployments.admin.attention import FAILED_DEPLOYMENT, failed_deployments, failed_of
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
from deployments.admin.shown import preview_links, shown, under_way
from deployments.models import Deployment, DeploySettings, Invalidation, SitePicture
from deployments.rollback import kept
from sites.admin.actions import Destroy, SiteAction, SyncVisits
from sites.admin.attention import REASONS, Attention
from sites.admin.base import ago, badge
from sites.admin.plan import Provision
from sites.admin.site import SiteAdmin as BaseSiteAdmin
from sites.admin.tabs import OVERVIEW, TABS, Tab
from sites.models import Site
from sites.people import Act, may
from sites.provisioning.estimate import Usage

DEPLOYMENTS_SHOWN = 5
ON_A_PAGE = 50
INVALIDATIONS_SHOWN = 5
UNDER_WAY_SHOWN = 8
PREVIEWS_SHOWN = 10
# What a list says of the published deployment.
PUBLISHED = ("site", "number", "published_at", "description")


@admin.register(Site)
class SiteAdmin(BulkMixin, BaseSiteAdmin):
    list_display = ("site", "state_badge", "address", "current", "visits", "created")
    more_filters = (Attention(*REASONS, FAILED_DEPLOYMENT), *BaseSiteAdmin.more_filters[1:])
    pages = (OVERVIEW, Tab("deployments", "Deployments"), *TABS[1:])
    head_template = "deployments/head.html"
    change_form_template = "deployments/settings.html"
    overview_template = "deployments/overview.html"
    panel_template = "deployments/panel.html"
    site_actions = (Deploy(), Provision(), Invalidate(), SyncVisits(), Destroy())
    panel_actions: ClassVar[tuple[SiteAction, ...]] = (
        *(Rollback(), Publish(), Cancel(), Retry(), ClosePreview(), Lock(), Unlock(), Resume()),
        *(Keep(), Maintenance(), MaintenanceOff(), Protect(), Unprotect()),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Site]:
        published = Deployment.objects.filter(is_published=True).only(*PUBLISHED)
        failed = failed_deployments().filter(site=OuterRef("pk")).order_by()
        rows = with_addresses(super().get_queryset(request)).prefetch_related(
            Prefetch("deployments", queryset=published, to_attr="published")
        )
        return rows.annotate(has_failed_deployment=Exists(failed))

    @admin.display(description="state")
    def state_badge(self, site: Any) -> SafeString:
        state = super().state_badge(site)
        if not site.has_failed_deployment:
            return state
        return format_html("{} {}", state, badge("failure", "Deployment failed"))

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
        pages = (
            ("space", self._space),
            ("deployments", self._deployments),
            ("picture", self._picture),
        )
        views = [
            path(f"<int:pk>/{name}/", wrap(page), name=f"sites_site_{name}") for name, page in pages
        ]
        return [*acts, *views, *super().get_urls()]

    def head_context(self, site: Site) -> dict[str, Any]:
        return super().head_context(site) | {"address": address_of(site)}

    def overview(self, request: HttpRequest, site: Site) -> dict[str, Any]:
        return super().overview(request, site) | {"deploy_form": DeployForm(site=site)}

    def settings(self, request: HttpRequest, site: Site) -> dict[str, Any]:
        """With what is kept and who sees the site; only for what is served."""
        context = super().settings(request, site)
        is_served = self._is_served(site) and may(request.user, Act.OPERATE, site)
        return context | stopped_context(site) | {"may_keep": is_served}

    def usage(self, site: Site, pageviews: int | None = None) -> Usage:
        """With what the kept deployments uploaded, which is what is stored now or a little more."""
        month = timezone.now() - timedelta(days=30)
        counted = site.deployments.filter(objects_deleted_at=None).aggregate(
            stored=Sum("bytes"),
            uploads=Sum("uploaded", filter=Q(created_at__gte=month)),
            deployments=Count("pk", filter=Q(created_at__gte=month)),
        )
        known = {name: value or 0 for name, value in counted.items()}
        return replace(super().usage(site, pageviews), **known)

    def _is_served(self, site: Site) -> bool:
        ready = site.resources.filter(is_ready=True).values_list("logical_id", flat=True)
        return Keep().is_offered(site, frozenset(ready))

    def _deployments(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The page of all deployments; ``?before`` is the number that the page begins below."""
        site = self.site_to_see(request, pk)
        words = request.GET.get("before", "")
        before = int(words) if words.isascii() and words.isdigit() and len(words) < 10 else None
        deployments = site.deployments.select_related("creator").defer("manifest")
        older = deployments.filter(number__lt=before) if before else deployments
        rows = list(older[: ON_A_PAGE + 1])
        published = deployments.filter(is_published=True).first()
        may_deploy = may(request.user, Act.DEPLOY, site) and self._is_served(site)
        context = {
            **self.page_context(request, site, "deployments"),
            **stopped_context(site),
            "deployments": shown(site, rows[:ON_A_PAGE], published),
            "older": rows[ON_A_PAGE - 1].number if len(rows) > ON_A_PAGE else None,
            "is_first": before is None,
            "may_publish": may_deploy,
            "may_maintain": may(request.user, Act.OPERATE, site),
            "deploy_form": DeployForm(site=site) if may_deploy else None,
        }
        return TemplateResponse(request, "deployments/deployments_page.html", context)

    def _picture(self, request: HttpRequest, pk: int) -> HttpResponse:
        """What the site looked like after its last deployment; the address has its digest."""
        site = self.site_to_see(request, pk)
        picture = SitePicture.objects.filter(site=site).exclude(image=b"").first()
        if picture is None:
            raise Http404("There is no picture of this site.")
        headers = {"ETag": f'"{picture.digest}"', "Cache-Control": "private, no-cache"}
        if request.headers.get("If-None-Match") == headers["ETag"]:
            return HttpResponse(status=304, headers=headers)
        headers["X-Content-Type-Options"] = "nosniff"
        return HttpResponse(bytes(picture.image), content_type=picture.kind, headers=headers)

    def _space(self, request: HttpRequest, pk: int) -> HttpResponse:
        site = self.site_to_see(request, pk)
        return render(request, "deployments/space.html", space_context(site))

    def panel_context(self, request: HttpRequest, site: Any) -> dict[str, Any]:
        context = super().panel_context(request, site)
        deployments = site.deployments.select_related("creator").defer("manifest")
        rows = list(deployments[:DEPLOYMENTS_SHOWN])
        active = list(deployments.filter(state__in=Deployment.ACTIVE))
        published = deployments.filter(is_published=True).first()
        asked = site.invalidations.filter(status__in=Invalidation.ACTIVE)
        invalidations = list(asked[:INVALIDATIONS_SHOWN])
        offered = {action.slug for action in context["site_actions"]}
        failed = failed_of(site, active)
        # What is shown as under way may have ended before the others were asked for.
        is_active = any(row.state in Deployment.ACTIVE for row in [*rows, *active])
        return context | {
            "failed": failed,
            "told_above": [each.row.pk for each in failed],
            "deployments": shown(site, rows, published),
            "published": published,
            "under_way": under_way(active)[:UNDER_WAY_SHOWN],
            "under_way_count": len(active),
            "invalidations": invalidations,
            "may_publish": Deploy.slug in offered,
            "may_maintain": may(request.user, Act.OPERATE, site),
            "has_before": Deploy.slug in offered and has_before(site, published),
            "picture": SitePicture.objects.filter(site=site).defer("image").first(),
            "is_refreshed": context["is_refreshed"] or is_active or bool(invalidations),
            **previews_context(site),
            **stopped_context(site),
        }


def has_before(site: Site, published: Deployment | None) -> bool:
    """Whether there is one to roll back to."""
    earlier = kept(site).filter(published_at__isnull=False, is_published=False)
    return published is not None and earlier.filter(number__lt=published.number).exists()


def previews_context(site: Any) -> dict[str, Any]:
    """The site's previews, the newest first; ``site`` comes with its ``names``."""
    listed = previews.listed(site)
    rows = list(listed[: PREVIEWS_SHOWN + 1])
    wildcards = [domain.name for domain in site.names if domain.is_wildcard]
    links = preview_links(rows)
    return {
        "previews": [(row, links[row.pk]) for row in rows[:PREVIEWS_SHOWN]],
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
