"""AWS accounts: seen by all who may, changed by superusers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from sites.admin.orphans import OrphansMixin
from sites.models import Account
from sites.provisioning.costs import cost_of

if TYPE_CHECKING:
    Form = forms.ModelForm[Account]
else:
    Form = forms.ModelForm

ID = "external_id"
REGION = re.compile(r"[a-z]{2}(?:-[a-z]+)+-\d")
ROLE = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]+", re.ASCII)


class AccountForm(Form):
    class Meta:
        help_texts: ClassVar[dict[str, str]] = {
            ID: "What the trust policy of the role asks for, so that nobody else can use it.",
        }

    def clean_region(self) -> str:
        region: str = self.cleaned_data["region"].strip()
        if not REGION.fullmatch(region):
            raise forms.ValidationError("A region looks like “us-east-1” or “eu-central-1”.")
        return region

    def clean_role_arn(self) -> str:
        arn: str = self.cleaned_data["role_arn"].strip()
        if arn and not ROLE.fullmatch(arn):
            raise forms.ValidationError(
                "A role's ARN looks like “arn:aws:iam::123456789012:role/cloudadmin”."
            )
        return arn


@admin.register(Account)
class AccountAdmin(OrphansMixin):
    actions = None
    form = AccountForm
    change_form_template = "sites/account.html"
    list_display = ("name", "aws_account_id", "region", "role_arn")
    search_fields = ("name", "aws_account_id", "role_arn")
    fields = ("name", "aws_account_id", "region", "role_arn", ID)

    def get_fields(self, request: HttpRequest, obj: Account | None = None) -> list[Any]:
        """Its external id is made with it: one shown before would be another one."""
        return [name for name in self.fields if obj is not None or name != ID]

    def get_readonly_fields(self, request: HttpRequest, obj: Account | None = None) -> list[str]:
        if obj is None:
            return []
        # What exists on AWS was made in this region; elsewhere it would not be found again.
        settled = ["region"] if obj.resources.exists() else []
        return [ID, "aws_account_id", *settled]

    def response_add(
        self, request: HttpRequest, obj: Account, post_url_continue: str | None = None
    ) -> HttpResponse:
        """To its page, for its external id."""
        said = f"{obj.name} is added. Its external id is below, for the trust policy of its role."
        self.message_user(request, said, messages.SUCCESS)
        return redirect("admin:sites_account_change", obj.pk)

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
