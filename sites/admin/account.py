"""AWS accounts: seen by all who may, changed by superusers."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest

from sites.admin.base import ModelAdmin
from sites.models import Account


@admin.register(Account)
class AccountAdmin(ModelAdmin[Account]):
    actions = None
    list_display = ("name", "aws_account_id", "region", "role_arn")
    search_fields = ("name", "aws_account_id", "role_arn")
    fields = ("name", "aws_account_id", "region", "role_arn", "external_id")

    def get_readonly_fields(self, request: HttpRequest, obj: Account | None = None) -> list[str]:
        if obj is None:
            return ["external_id"]
        # What exists on AWS was made in this region; elsewhere it would not be found again.
        settled = ["region"] if obj.resources.exists() else []
        return ["external_id", "aws_account_id", *settled]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.is_superuser)

    def has_change_permission(self, request: HttpRequest, obj: Account | None = None) -> bool:
        return bool(request.user.is_superuser)

    def has_delete_permission(self, request: HttpRequest, obj: Account | None = None) -> bool:
        return False
