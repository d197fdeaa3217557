"""The history of deployments."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import URLPattern, path

from deployments import manifest as manifests
from deployments import publish, target
from deployments.admin.deployment_list import DeploymentList
from deployments.admin.shown import shown, spans, under_way
from deployments.manifest import Manifest
from deployments.models import Deployment
from sites.admin.base import HistoryAdmin

MESSAGES_SHOWN = 20
PATHS_SHOWN = 200


@admin.register(Deployment)
class DeploymentAdmin(DeploymentList, HistoryAdmin[Deployment]):
    fields = readonly_fields = ("site",)
    change_form_template = "deployments/deployment.html"

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("<int:pk>/panel/", self._panel, name="deployments_deployment_panel"),
            path("<int:pk>/changes/", wrap(self._changes), name="deployments_deployment_changes"),
            *super().get_urls(),
        ]

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        context |= panel_context(request, kwargs["obj"])
        return super().render_change_form(request, context, *args, **kwargs)

    def _panel(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The refreshed part alone; htmx is told to leave when there is nothing to refresh."""
        row = self.get_queryset(request).filter(pk=pk).first()
        if row is None or not self.has_view_permission(request):
            return HttpResponse(headers={"HX-Refresh": "true"})
        return render(request, "deployments/deployment_panel.html", panel_context(request, row))

    def _changes(self, request: HttpRequest, pk: int) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        row = get_object_or_404(Deployment.objects.select_related("site"), pk=pk)
        return render(request, "deployments/changes.html", changes_context(row))


def panel_context(request: HttpRequest, row: Deployment) -> dict[str, Any]:
    """What a deployment's page shows, and refreshes while it is under way."""
    published = publish.published(row.site)
    (each,) = shown(row.site, [row], published)
    site = row.site.deployments.filter(state__in=Deployment.ACTIVE).defer("manifest")
    active = under_way(site) if row.state in Deployment.ACTIVE else []
    return {
        "deployment": row,
        "shown": each,
        "under_way": next((item for item in active if item.row == row), None),
        "spans": spans(row),
        "seconds": sum(span.seconds for span in spans(row)),
        "address": each.address or (target.address(row.site) if row.is_published else ""),
        "sent": list(row.messages.select_related("listener")[:MESSAGES_SHOWN]),
        "may_act": request.user.has_perm("sites.change_site"),
        "has_files": bool(row.files) and row.state not in Deployment.ACTIVE,
    }


def changes_context(row: Deployment) -> dict[str, Any]:
    """What it changed for visitors: the first paths, and how many there are."""
    before = (
        Deployment.objects.filter(site=row.site, published_at__isnull=False, number__lt=row.number)
        .exclude(manifest=b"")
        .first()
    )
    old = publish.manifest_of(before) if before else Manifest({})
    diff = manifests.diff(old, publish.manifest_of(row))
    kinds = (("deleted", diff.deleted), ("changed", diff.changed), ("added", diff.added))
    return {
        "before": before,
        "is_kept": bool(row.manifest),
        "counts": [(kind, len(found)) for kind, found in kinds],
        "unchanged": len(diff.unchanged),
        "paths": _first_of_each(kinds, PATHS_SHOWN),
        "total": sum(len(found) for _, found in kinds),
    }


def _first_of_each(kinds: Sequence[tuple[str, Sequence[str]]], room: int) -> list[tuple[str, str]]:
    """As many paths as there is room for; none of the kinds is crowded out by another."""
    shown = {}
    by_length = sorted(kinds, key=lambda each: len(each[1]))
    for waiting, (kind, found) in zip(range(len(kinds), 0, -1), by_length, strict=True):
        shown[kind] = found[: room // waiting]
        room -= len(shown[kind])
    return [(kind, path) for kind, _ in kinds for path in shown[kind]]
