"""The history of provisioning."""

from __future__ import annotations

from django.contrib import admin
from django.utils.safestring import SafeString

from sites.admin.base import ago, badge, shortened
from sites.admin.lists import AskedFilter, FieldFilter, ListAdmin
from sites.admin.operation_page import OperationPages
from sites.models import Operation

FAILED = (Operation.Status.FAILURE, Operation.Status.NEEDS_ATTENTION)


@admin.register(Operation)
class OperationAdmin(ListAdmin[Operation], OperationPages):
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
