"""The repository of a site: whose pushes deploy it, and what came in from there."""

from __future__ import annotations

import re
import secrets
from typing import TYPE_CHECKING, Any, ClassVar, cast

from django import forms
from django.conf import settings
from django.contrib import admin
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.safestring import SafeString
from unfold.widgets import UnfoldAdminPasswordWidget, UnfoldAdminTextareaWidget

from deployments import pushes
from deployments.admin.row_actions import ActingAdmin, RowAction
from deployments.admin.shown import word_for
from deployments.github_workflow import workflow
from deployments.models import Delivery, Repository
from deployments.source import SourceRefused
from deployments.source.git import REF
from deployments.source.remote import parse
from sites.admin.base import HistoryAdmin, VisibleFilter, ago, badge
from sites.errors import Refused
from sites.people import Act

if TYPE_CHECKING:
    from django.contrib.auth.models import User

DELIVERIES_SHOWN = 10
FULL_NAME = re.compile(r"[\w.-]+/[\w.-]+")
AT_GITHUB = re.compile(r"(?:https://|ssh://git@|git@)github\.com[/:]([\w.-]+/[\w.-]+?)(?:\.git)?/?")
LOOKS = {
    Delivery.Outcome.ACCEPTED: "success",
    Delivery.Outcome.IGNORED: "inactive",
    Delivery.Outcome.REFUSED: "failure",
}


class RepositoryForm(forms.ModelForm):  # type: ignore[type-arg]
    patterns = forms.CharField(
        label="Branches that become previews",
        required=False,
        help_text="One pattern per line, as in feature/*; the star stands for anything.",
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3, "spellcheck": "false"}),
    )
    token = forms.CharField(
        label="Token for statuses",
        required=False,
        max_length=500,
        help_text="A fine-grained token of GitHub's that may write commit statuses and "
        "deployments of this repository. It is kept encrypted; empty keeps the one there is.",
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "off"}),
    )

    class Meta:
        model = Repository
        fields = ("site", "url", "full_name", "folder", "production_branch", "has_submodules")
        labels: ClassVar = {"url": "Address"}
        help_texts: ClassVar = {
            "url": "As in https://github.com/owner/name.git, for everybody to read; or with ssh, "
            "for which the workers need a key.",
            "full_name": "As in owner/name; empty: as the address says.",
            "folder": "What is deployed of it, as in public; empty: all. Nothing is built here.",
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["patterns"].initial = "\n".join(self.instance.preview_branches)

    def clean_url(self) -> str:
        url: str = self.cleaned_data["url"]
        try:
            parse(url, settings.CLOUDADMIN_GIT_SCHEMES)
        except SourceRefused as refused:
            raise forms.ValidationError(f"That is not taken: {refused}") from refused
        if "#" in url or re.match(r"https://[^/]*@", url):
            raise forms.ValidationError(
                "Give the address alone: without a password, which everybody here would see, and "
                "without a branch."
            )
        return url

    def clean_full_name(self) -> str:
        name: str = self.cleaned_data["full_name"]
        found = AT_GITHUB.fullmatch(self.cleaned_data.get("url", ""))
        name = name or (found[1] if found else "")
        if name and not FULL_NAME.fullmatch(name):
            raise forms.ValidationError("It is “owner/name”, as in the repository's address.")
        return name

    def clean_production_branch(self) -> str:
        branch: str = self.cleaned_data["production_branch"]
        if not REF.fullmatch(branch):
            raise forms.ValidationError("That cannot be the name of a branch.")
        return branch

    def clean_patterns(self) -> list[str]:
        lines = [line.strip() for line in self.cleaned_data["patterns"].splitlines()]
        if any(len(line) > 255 for line in lines):
            raise forms.ValidationError("No branch has a name of more than 255 characters.")
        return [line for line in lines if line]

    def save(self, commit: bool = True) -> Any:
        row = self.instance
        row.preview_branches = self.cleaned_data["patterns"]
        row.status_token = self.cleaned_data["token"] or row.status_token
        row.secret = row.secret or new_secret()
        return super().save(commit)


def new_secret() -> str:
    return secrets.token_hex(32)


@admin.register(Repository)
class RepositoryAdmin(ActingAdmin[Repository]):
    form = RepositoryForm
    change_form_template = "deployments/repository.html"
    list_display = ("name", "site", "production_branch", "folder", "last_webhook")
    list_select_related = ("site",)
    search_fields = ("full_name", "url", "site__name")
    fields = (
        "site",
        "url",
        "full_name",
        "production_branch",
        "patterns",
        "folder",
        "has_submodules",
        "token",
    )

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.row_actions = (
            RowAction(
                "deploy-now",
                "Deploy now",
                "rocket_launch",
                "The newest commit of the production branch is fetched and published, as if it "
                "had just been pushed.",
                self._deploy_now,
            ),
            RowAction(
                "new-secret",
                "New secret",
                "key",
                "Webhooks that are signed with the secret there is now are refused from then on, "
                "until GitHub has the new one.",
                self._new_secret,
                danger=True,
                needs=Act.OWN,
            ),
            RowAction(
                "forget-token",
                "Forget the token",
                "key_off",
                "GitHub is not told of deployments any more.",
                self._forget_token,
                is_offered=lambda row: bool(row.status_token),
            ),
        )

    def get_readonly_fields(
        self, request: HttpRequest, obj: Repository | None = None
    ) -> tuple[str, ...]:
        return ("site",) if obj else ()

    def response_add(
        self, request: HttpRequest, obj: Repository, post_url_continue: str | None = None
    ) -> HttpResponse:
        return self._secret_page(request, obj)

    def panel_context(self, request: HttpRequest, row: Repository) -> dict[str, Any]:
        try:
            file, problem = workflow(row.site, request.build_absolute_uri("/")), ""
        except Refused as refused:
            file, problem = "", str(refused)
        rows = row.deliveries.select_related("deployment").defer("deployment__manifest")
        return {
            "hook": hook_of(request, row),
            "is_local": bool(settings.CLOUDADMIN_EDGE_URL),
            "deliveries": [
                (each, word_for(each.deployment)[1] if each.deployment else "")
                for each in rows[:DELIVERIES_SHOWN]
            ],
            "workflow": file,
            "workflow_problem": problem,
        }

    @admin.display(description="repository", ordering="full_name")
    def name(self, row: Repository) -> str:
        return str(row)

    @admin.display(description="last webhook")
    def last_webhook(self, row: Repository) -> SafeString | str:
        delivery = row.deliveries.first()
        return ago(delivery.created_at) if delivery else "none yet"

    # --- Actions ------------------------------------------------------------------------------

    def _deploy_now(self, request: HttpRequest, row: Repository) -> str:
        with transaction.atomic():
            deployment = pushes.deploy(
                row, row.production_branch, creator=cast("User", request.user)
            )
        return f"Deployment #{deployment.number} of {row.site} has started."

    def _new_secret(self, request: HttpRequest, row: Repository) -> HttpResponse:
        row.secret = new_secret()
        row.save(update_fields=["secret"])
        return self._secret_page(request, row)

    def _forget_token(self, request: HttpRequest, row: Repository) -> str:
        row.status_token = ""
        row.save(update_fields=["status_token"])
        return "The token is forgotten; revoke it at GitHub as well."

    def _secret_page(self, request: HttpRequest, row: Repository) -> HttpResponse:
        return self.secret_page(
            request,
            row,
            title=f"Secret of {row}",
            secret=row.secret,
            what="GitHub signs its webhooks with it.",
            address=hook_of(request, row),
        )


def hook_of(request: HttpRequest, row: Repository) -> str:
    return request.build_absolute_uri(reverse("github-hook", args=[row.uid]))


@admin.register(Delivery)
class DeliveryAdmin(HistoryAdmin[Delivery]):
    list_display = ("when", "repository", "looks", "event", "reason", "deployment")
    list_display_links = None
    site_path = "repository__site"
    list_filter = ("outcome", ("repository", VisibleFilter))
    list_select_related = ("repository", "deployment__site")
    search_fields = ("delivery_id", "reason", "repository__full_name")
    search_help_text = "GitHub's id of a delivery, words of a reason, or a repository"

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).defer("deployment__manifest")

    @admin.display(description="came", ordering="pk")
    def when(self, row: Delivery) -> SafeString | str:
        return ago(row.created_at)

    @admin.display(description="outcome", ordering="outcome")
    def looks(self, row: Delivery) -> SafeString:
        return badge(LOOKS[Delivery.Outcome(row.outcome)], row.get_outcome_display())
