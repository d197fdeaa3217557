"""The history of provisioning."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.auth.models import User
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from sites.admin.base import ago, badge, shortened
from sites.admin.lists import AskedFilter, FieldFilter, Filter, ListAdmin
from sites.admin.operation_page import OperationPages
from sites.models import Operation
from sites.people import visible

PEOPLE = 200


class WhoFilter(Filter):
    """By who asked, of those who did."""

    def choices(self, request: HttpRequest) -> list[tuple[str, str]]:
        theirs = Operation.objects.filter(creator=OuterRef("pk"))
        users = User.objects.filter(Exists(visible(request.user, theirs, path="site")))
        names = users.order_by("username").values_list("pk", "username")[:PEOPLE]
        return [(str(pk), name) for pk, name in names]

    def apply(self, rows: QuerySet[Any], value: str) -> QuerySet[Any]:
        return rows.filter(creator=int(value))


@admin.register(Operation)
class OperationAdmin(ListAdmin[Operation], OperationPages):
    list_display = ("operation", "status_badge", "creator", "started", "error")
    tabs = FieldFilter(
        "status",
        Operation.Status.choices,
        groups={"active": ("Under way", Operation.ACTIVE), "failed": ("Failed", Operation.FAILED)},
    )
    more_filters = (
        FieldFilter("kind", Operation.Kind.choices),
        WhoFilter("who"),
        AskedFilter("when"),
    )
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
