"""Tokens for the API, each shown once, and the repositories that need none."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.safestring import SafeString
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
)

from deployments import tokens
from deployments.models import DeployToken, Repository, Scope, TrustedRepository
from sites.admin.base import HistoryAdmin, ModelAdmin, VisibleFilter, ago, badge, until
from sites.models import Site
from sites.people import Act, get_for, may

EVERY = "*"
SCOPES_HELP = "No more than the job needs; every scope may read."


class ScopesForm(forms.ModelForm):  # type: ignore[type-arg]
    scopes = forms.MultipleChoiceField(
        choices=Scope.choices,
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        initial=[Scope.DEPLOY],
        help_text=SCOPES_HELP,
    )


class TokenForm(ScopesForm):
    days = forms.TypedChoiceField(
        label="Valid for",
        choices=[(30, "30 days"), (90, "90 days"), (180, "half a year"), (365, "a year")],
        coerce=int,
        initial=90,
        widget=UnfoldAdminSelectWidget,
        help_text="Afterwards it is worth nothing, wherever it was left.",
    )

    class Meta:
        model = DeployToken
        fields = ("site", "name", "scopes")
        help_texts: ClassVar = {"name": "Where it will be used, as in “CI of the shop”."}


@admin.register(DeployToken)
class TokenAdmin(HistoryAdmin[DeployToken]):
    list_display = ("name", "site", "state", "may", "prefix", "last_used", "ends", "creator")
    site_path = "site"
    list_filter = (("site", VisibleFilter),)
    list_select_related = ("site", "creator")
    search_fields = ("name", "site__name", "prefix", "issued_to")
    search_help_text = "A name, a site, the beginning of a token, or whom it was issued to"
    change_form_template = "deployments/token.html"
    readonly_fields = (
        "site",
        "name",
        "state",
        "may",
        "prefix",
        "creator",
        "issued_to",
        "created_at",
        "last_used",
        "ends",
    )

    def get_urls(self) -> list[URLPattern]:
        revoke = self.admin_site.admin_view(self.revoke)
        here = path("<int:pk>/revoke/", revoke, name="deployments_deploytoken_revoke")
        return [here, *super().get_urls()]

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Though they are read-only once they are made."""
        return may(request.user, Act.OWN)

    # --- Make one -----------------------------------------------------------------------------

    def get_form(
        self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any
    ) -> Any:
        if not change:
            kwargs["form"] = TokenForm
        return super().get_form(request, obj, change, **kwargs)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.readonly_fields if obj else ("site", "name", "scopes", "days")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.readonly_fields if obj else ()

    def save_form(self, request: HttpRequest, form: Any, change: bool) -> DeployToken:
        """The row is made here: the text exists in this request and never again."""
        data = form.cleaned_data
        row, text = tokens.issue(
            data["site"],
            data["name"],
            data["scopes"],
            timezone.now() + timedelta(days=data["days"]),
            request.user,  # type: ignore[arg-type]
        )
        request.token_text = text  # type: ignore[attr-defined]
        return row

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        pass

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        pass

    def response_add(
        self, request: HttpRequest, obj: DeployToken, post_url_continue: str | None = None
    ) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "title": f"Token for {obj.site.name}",
            "opts": self.opts,
            "token": obj,
            "text": request.token_text,  # type: ignore[attr-defined]
            "address": request.build_absolute_uri("/api/v1"),
        }
        return TemplateResponse(request, "deployments/new_token.html", context)

    # --- Revoke one ---------------------------------------------------------------------------

    def revoke(self, request: HttpRequest, pk: int) -> HttpResponse:
        token = get_for(request.user, Act.OWN, self.get_queryset(request), path="site", pk=pk)
        back = reverse("admin:deployments_deploytoken_change", args=[pk])
        if request.method == "POST":
            tokens.revoke(token)
            self.log_change(request, token, "Revoked")
            self.message_user(request, f"“{token.name}” is revoked; it is worth nothing now.")
            return redirect(back)
        context = {
            **self.admin_site.each_context(request),
            "title": f"Revoke: {token.name}",
            "opts": self.opts,
            "original": token,
            "about": token.name,
            "back": back,
            "action": {"title": "Revoke", "danger": True},
            "says": [
                f"Whatever uses this token for {token.site.name} is refused from the next request "
                "on. That cannot be taken back; make a new token instead."
            ],
        }
        return TemplateResponse(request, "sites/confirm.html", context)

    # --- Say how one is -----------------------------------------------------------------------

    def get_queryset(self, request: HttpRequest) -> QuerySet[DeployToken]:
        return super().get_queryset(request).select_related("site", "creator")

    @admin.display(description="state")
    def state(self, row: DeployToken) -> SafeString:
        if row.revoked_at:
            return badge("inactive", "Revoked")
        return badge("live", "Valid") if tokens.is_valid(row) else badge("inactive", "Expired")

    @admin.display(description="may")
    def may(self, row: DeployToken) -> str:
        return ", ".join(row.scopes)

    @admin.display(description="last used", ordering="last_used_at")
    def last_used(self, row: DeployToken) -> SafeString | str:
        return ago(row.last_used_at) if row.last_used_at else "never"

    @admin.display(description="ends", ordering="expires_at")
    def ends(self, row: DeployToken) -> SafeString | str:
        return until(row.expires_at) if tokens.is_valid(row) else ago(row.expires_at)


class TrustForm(ScopesForm):
    ref = forms.CharField(
        required=False,
        max_length=255,
        widget=UnfoldAdminTextInputWidget(attrs={"spellcheck": "false"}),
        help_text="As in refs/heads/main; empty for the production branch; * for every ref, which "
        "is whoever may push a branch.",
    )

    class Meta:
        model = TrustedRepository
        fields = ("site", "repository", "ref", "environment", "scopes")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            self.initial["ref"] = self.instance.ref or EVERY

    def clean_repository(self) -> str:
        name: str = self.cleaned_data["repository"].strip().removeprefix("https://github.com/")
        if name.count("/") != 1 or not all(name.split("/")):
            raise forms.ValidationError("A repository is “owner/name”, as at GitHub.")
        return name

    def clean_ref(self) -> str:
        """As the row has it, where no ref is every ref."""
        ref: str = self.cleaned_data["ref"] or _production(self.cleaned_data.get("site"))
        return "" if ref == EVERY else ref


@admin.register(TrustedRepository)
class TrustedRepositoryAdmin(ModelAdmin[TrustedRepository]):
    """GitHub Actions of these repositories get a token for fifteen minutes when they ask."""

    form = TrustForm
    list_display = ("repository", "site", "from_where", "may", "since")
    list_select_related = ("site",)
    site_path = "site"
    list_filter = (("site", VisibleFilter),)
    search_fields = ("repository", "site__name")

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Whoever changes it trusts it from then on; it lasts as long as their right to."""
        obj.creator = request.user
        super().save_model(request, obj, form, change)

    def construct_change_message(
        self, request: HttpRequest, form: Any, formsets: Any, add: bool = False
    ) -> Any:
        """For the log: all that is trusted from now on."""
        row: TrustedRepository = form.instance
        return f"{row} at {self.from_where(row)} may at {row.site}: {self.may(row)}."

    @admin.display(description="from")
    def from_where(self, row: TrustedRepository) -> str:
        environment = f", environment {row.environment}" if row.environment else ""
        return (row.ref or "every ref") + environment

    @admin.display(description="may")
    def may(self, row: TrustedRepository) -> str:
        return ", ".join(row.scopes)

    @admin.display(description="since", ordering="created_at")
    def since(self, row: TrustedRepository) -> SafeString | str:
        return ago(row.created_at)


def _production(site: Site | None) -> str:
    repository = Repository.objects.filter(site=site).first() if site else None
    return f"refs/heads/{repository.production_branch if repository else 'main'}"
