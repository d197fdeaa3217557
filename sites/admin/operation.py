"""The history of provisioning."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import URLPattern, path
from django.utils.safestring import SafeString

from sites.admin.base import HistoryAdmin, ago, badge, shortened
from sites.admin.lists import AskedFilter, FieldFilter, ListAdmin
from sites.admin.plan import applied
from sites.admin.waits import readable
from sites.models import Operation

EVENTS_SHOWN = 200
FAILED = (Operation.Status.FAILURE, Operation.Status.NEEDS_ATTENTION)


@admin.register(Operation)
class OperationAdmin(ListAdmin[Operation], HistoryAdmin[Operation]):
    list_display = ("operation", "status_badge", "creator", "started", "error")
    tabs = FieldFilter(
        "status",
        Operation.Status.choices,
        groups={"active": ("Under way", Operation.ACTIVE), "failed": ("Failed", FAILED)},
    )
    more_filters = (FieldFilter("kind", Operation.Kind.choices), AskedFilter("when"))
    empty = "Nothing was asked for yet."
    search_fields = ("site_name", "error_message")
    search_help_text = "A site's name, or words of an error"
    fields = readonly_fields = ("site_name",)
    change_form_template = "sites/operation.html"
    site_path = "site"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Operation]:
        return super().get_queryset(request).defer("plan", "targets").select_related("creator")

    def get_urls(self) -> list[URLPattern]:
        panel = path("<int:pk>/panel/", self._panel, name="sites_operation_panel")
        return [panel, *super().get_urls()]

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        context |= _panel_context(kwargs["obj"])
        return super().render_change_form(request, context, *args, **kwargs)

    def _panel(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The refreshed part alone; htmx is told to leave when there is nothing to refresh."""
        row = self.get_queryset(request).filter(pk=pk).first()
        if row is None:
            return HttpResponse(headers={"HX-Refresh": "true"})
        return render(request, "sites/operation_panel.html", _panel_context(row))

    @admin.display(description="operation")
    def operation(self, row: Operation) -> str:
        return str(row)

    @admin.display(description="status")
    def status_badge(self, row: Operation) -> SafeString:
        return badge(row.status, row.get_status_display())

    @admin.display(description="asked for", ordering="pk")
    def started(self, row: Operation) -> SafeString | str:
        return ago(row.created_at)

    @admin.display(description="error")
    def error(self, row: Operation) -> SafeString | str:
        return shortened(row.error_message)


def _panel_context(row: Operation) -> dict[str, Any]:
    events = row.events.order_by("-pk")
    return {
        "operation": row,
        "is_active": row.status in Operation.ACTIVE,
        "waits": readable(row.waits),
        "changes": applied(row),
        "events": events[:EVENTS_SHOWN],
        "event_count": events.count(),
    }
