"""AWS accounts: seen by all who may, changed by superusers."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse

from sites.admin.orphans import OrphansMixin
from sites.models import Account
from sites.provisioning.costs import cost_of


@admin.register(Account)
class AccountAdmin(OrphansMixin):
    actions = None
    change_form_template = "sites/account.html"
    list_display = ("name", "aws_account_id", "region", "role_arn")
    search_fields = ("name", "aws_account_id", "role_arn")
    fields = ("name", "aws_account_id", "region", "role_arn", "external_id")

    def get_readonly_fields(self, request: HttpRequest, obj: Account | None = None) -> list[str]:
        if obj is None:
            return ["external_id"]
        # What exists on AWS was made in this region; elsewhere it would not be found again.
        settled = ["region"] if obj.resources.exists() else []
        return ["external_id", "aws_account_id", *settled]

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        account = kwargs.get("obj")
        if account is not None:
            shared = account.resources.filter(site=None)
            context["shared"] = [(row, cost_of(row.type)) for row in shared]
            context["site_count"] = account.sites.count()
        return super().render_change_form(request, context, *args, **kwargs)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.is_superuser)

    def has_change_permission(self, request: HttpRequest, obj: Account | None = None) -> bool:
        return bool(request.user.is_superuser)

    def has_delete_permission(self, request: HttpRequest, obj: Account | None = None) -> bool:
        return False
