"""The history of provisioning."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.safestring import SafeString

from sites.admin.base import HistoryAdmin, TabularInline, ago, badge, shortened
from sites.admin.waits import readable
from sites.models import Operation, OperationEvent


class EventInline(TabularInline[OperationEvent, Operation]):
    model = OperationEvent
    verbose_name_plural = "what happened"
    fields = readonly_fields = ("created_at", "logical_id", "message")
    extra = 0
    can_delete = False
    hide_title = True

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("sites.view_operation")


@admin.register(Operation)
class OperationAdmin(HistoryAdmin[Operation]):
    list_display = ("operation", "status_badge", "creator", "started", "error")
    list_filter = ("status", "kind")
    list_select_related = ("creator",)
    search_fields = ("site_name", "error_message")
    search_help_text = "A site's name, or words of an error"
    inlines = (EventInline,)
    fields = readonly_fields = (
        "site_name",
        "kind",
        "status_badge",
        "error_message",
        "waits_for",
        "creator",
        "attempts",
        "created_at",
        "finished_at",
    )

    @admin.display(description="operation", ordering="pk")
    def operation(self, row: Operation) -> str:
        return str(row)

    @admin.display(description="status", ordering="status")
    def status_badge(self, row: Operation) -> SafeString:
        return badge(row.status, row.get_status_display())

    @admin.display(description="started", ordering="created_at")
    def started(self, row: Operation) -> SafeString | str:
        return ago(row.created_at)

    @admin.display(description="error")
    def error(self, row: Operation) -> SafeString | str:
        return shortened(row.error_message)

    @admin.display(description="waits for", empty_value="–")
    def waits_for(self, row: Operation) -> str:
        return " ".join(f"{wait.what}: {wait.why}" for wait in readable(row.waits))
