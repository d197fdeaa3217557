"""The page of one operation: its plan, its steps, the tries that failed, and what support needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import URLPattern, path
from django.views.decorators.http import require_POST

from sites import retrying
from sites.admin.actions import enqueue
from sites.admin.base import HistoryAdmin
from sites.admin.operation_steps import steps
from sites.admin.support import as_json
from sites.admin.waits import readable
from sites.errors import Refused, for_people
from sites.models import Operation
from sites.people import Act, get_for, may

if TYPE_CHECKING:
    from django.contrib.auth.models import User

EVENTS_SHOWN = 500


class OperationPages(HistoryAdmin[Operation]):
    site_path = "site"
    fields = readonly_fields = ("site_name",)
    change_form_template = "sites/operation.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Operation]:
        rows = super().get_queryset(request).select_related("creator", "site")
        return rows.defer("targets")

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("<int:pk>/panel/", self._panel, name="sites_operation_panel"),
            path("<int:pk>/raw/", wrap(self._raw), name="sites_operation_raw"),
            path("<int:pk>/retry/", wrap(require_POST(self._retry)), name="sites_operation_retry"),
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
        if row is None:
            return HttpResponse(headers={"HX-Refresh": "true"})
        context = panel_context(request, row)
        context["is_news"] = request.GET.get("seen") != row.status
        return render(request, "sites/operation_panel.html", context)

    def _raw(self, request: HttpRequest, pk: int) -> HttpResponse:
        """All that is known of it, for support; secrets are left out."""
        row = self._allowed(request, Act.VIEW, pk)
        context = {"operation": row, "raw": as_json(row)}
        return render(request, "sites/operation_raw.html", context)

    def _retry(self, request: HttpRequest, pk: int) -> HttpResponse:
        row = self._allowed(request, Act.OPERATE, pk)
        try:
            with for_people():
                new = retrying.retry(row, cast("User", request.user))
        except Refused as refused:
            self.message_user(request, str(refused), messages.ERROR)
            return redirect("admin:sites_operation_change", row.pk)
        enqueue(new)
        self.message_user(request, "It goes on where it stopped; this page shows how far it is.")
        return redirect("admin:sites_operation_change", new.pk)

    def _allowed(self, request: HttpRequest, act: Act, pk: int) -> Operation:
        row = get_for(request.user, act, self.get_queryset(request), path="site", pk=pk)
        if act is not Act.VIEW and row.site is None:
            raise PermissionDenied
        return row


def panel_context(request: HttpRequest, row: Operation) -> dict[str, Any]:
    events = list(row.events.order_by("-pk")[:EVENTS_SHOWN])
    tries, waits = list(row.tries.all()), readable(row.waits)
    is_running = row.site is not None and (
        row.site.operations.filter(status__in=Operation.ACTIVE).exists()
    )
    return {
        "operation": row,
        "is_active": row.status in Operation.ACTIVE,
        "waits": waits,
        "steps": steps(row, reversed(events), tries, waits),
        "tries": tries,
        "events": events,
        "event_count": len(events) if len(events) < EVENTS_SHOWN else row.events.count(),
        "can_retry": (
            retrying.can_retry(row) and not is_running and may(request.user, Act.OPERATE, row.site)
        ),
        "is_running": is_running,
    }
