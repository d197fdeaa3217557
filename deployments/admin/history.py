"""The history of deployments."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.defaultfilters import filesizeformat
from django.utils.safestring import SafeString

from deployments.models import Deployment
from sites.admin.base import HistoryAdmin, ago, badge, shortened


@admin.register(Deployment)
class DeploymentAdmin(HistoryAdmin[Deployment]):
    list_display = (
        "deployment",
        "state_badge",
        "size",
        "description",
        "started",
        "creator",
        "error",
    )
    list_filter = ("state", "is_published")
    list_select_related = ("site", "creator")
    search_fields = ("site__name", "description", "source", "error_message")
    search_help_text = "A site's name, a message, a source, or words of an error"
    ordering = ("-pk",)
    fields = readonly_fields = (
        "site",
        "number",
        "state_badge",
        "is_published",
        "phase",
        "error_message",
        "source",
        "description",
        "creator",
        "files",
        "uploaded",
        "unchanged",
        "deleted",
        "size",
        "created_at",
        "published_at",
        "finished_at",
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Deployment]:
        return super().get_queryset(request).defer("manifest")

    @admin.display(description="deployment", ordering="pk")
    def deployment(self, row: Deployment) -> str:
        return str(row)

    @admin.display(description="state", ordering="state")
    def state_badge(self, row: Deployment) -> SafeString:
        if row.is_published:
            return badge("live", "Published")
        return badge(row.state, row.get_state_display())

    @admin.display(description="uploaded", ordering="bytes")
    def size(self, row: Deployment) -> str:
        return filesizeformat(row.bytes)

    @admin.display(description="started", ordering="created_at")
    def started(self, row: Deployment) -> SafeString | str:
        return ago(row.created_at)

    @admin.display(description="error")
    def error(self, row: Deployment) -> SafeString | str:
        return shortened(row.error_message)
