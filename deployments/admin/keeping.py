"""How long deployments are kept, and who may see the site."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from django import forms
from django.db.models import Min
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminPasswordWidget,
    UnfoldAdminTextInputWidget,
)

from deployments import access, retention
from deployments.admin.actions import ServingAction
from sites.admin.actions import SiteForm
from sites.admin.base import ModelAdmin
from sites.models import Site

if TYPE_CHECKING:
    from django.contrib.auth.models import User


def _number(label: str, help_text: str, *, least: int, most: int) -> forms.IntegerField:
    return forms.IntegerField(
        label=label,
        help_text=help_text,
        min_value=least,
        max_value=most,
        widget=UnfoldAdminIntegerFieldWidget(),
    )


class KeepForm(SiteForm):
    keep_deployments = _number(
        "Deployments to keep",
        "So many published ones can be gone back to.",
        least=1,
        most=1_000,
    )
    keep_days = _number(
        "Days", "All that are younger than this are kept, too.", least=0, most=3_650
    )
    preview_days = _number(
        "Days of a preview",
        "So long after its last deployment it is closed.",
        least=1,
        most=3_650,
    )
    delete_after_hours = _number(
        "Hours until files are deleted",
        "After the deployments that needed them were given up.",
        least=1,
        most=24 * 365,
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        row = access.settings_of(self.site)
        self.initial = {name: getattr(row, name) for name in self.fields}


class Keep(ServingAction):
    slug, title, icon = "keep", "What is kept", "inventory_2"
    tab = "settings"
    form_class = KeepForm

    def explain(self, site: Site, form: SiteForm) -> dict[str, Any]:
        return {"says": ["What is served or previewed is never given up, whatever is set here."]}

    def act(self, site: Site, form: SiteForm, user: User) -> str:
        access.keep(site, user, **form.cleaned_data)
        return "Saved. What is not kept any more goes with the next round of tidying."


class Maintenance(ServingAction):
    slug, title, icon = "maintenance", "Maintenance on", "engineering"
    tab = "settings"
    is_on: ClassVar[bool] = True

    def explain(self, site: Site, form: SiteForm) -> dict[str, Any]:
        return {
            "says": [
                "Every visitor gets the page maintenance.html of your site, or a plain one where "
                "it has none, within seconds. Previews can be looked at meanwhile."
            ]
        }

    def act(self, site: Site, form: SiteForm, user: User) -> str:
        access.set_maintenance(site, on=self.is_on, user=user)
        return f"{site.name} is in maintenance."


class MaintenanceOff(Maintenance):
    slug, title = "maintenance-off", "Maintenance off"
    is_on = False

    def explain(self, site: Site, form: SiteForm) -> dict[str, Any]:
        return {"says": ["Every visitor gets the site again, within seconds."]}

    def act(self, site: Site, form: SiteForm, user: User) -> str:
        super().act(site, form, user)
        return f"{site.name} is served again."


class ProtectForm(SiteForm):
    path = forms.CharField(
        label="Path",
        help_text="A folder or a page, as in /members/; with all below it.",
        initial="/",
        widget=UnfoldAdminTextInputWidget(attrs={"spellcheck": "false"}),
    )
    password = forms.CharField(
        label="Password",
        help_text="Leave it empty to have a good one made up.",
        required=False,
        strip=False,
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"}),
    )


class Protect(ServingAction):
    slug, title, icon = "protect", "Ask for a password", "password"
    asks_again = True
    tab = "settings"
    form_class = ProtectForm

    def view(self, request: HttpRequest, site: Site, model_admin: ModelAdmin[Site]) -> HttpResponse:
        """A password that was made up is in this answer, and never in another."""
        response = super().view(request, site, model_admin)
        password = getattr(site, "made_up", "")
        if not password or not isinstance(response, HttpResponseRedirect):
            return response
        context = {
            **model_admin.admin_site.each_context(request),
            "title": f"Password of {site.name}",
            "opts": Site._meta,
            "original": site,
            "back": reverse("admin:sites_site_change", args=[site.pk]),
            "password": password,
        }
        return TemplateResponse(request, "deployments/password.html", context)

    def explain(self, site: Site, form: SiteForm) -> dict[str, Any]:
        return {
            "says": [
                "Visitors are asked for it once, and so are those of previews. Only a hash of it "
                "is kept.",
                f"Nobody is asked at {access.ALWAYS_OPEN}, whatever is protected.",
            ]
        }

    def act(self, site: Site, form: SiteForm, user: User) -> str:
        given = form.cleaned_data["password"]
        path = access.canonical(form.cleaned_data["path"])
        password = access.protect(site, path, given, user)
        if not given:
            site.made_up = password  # type: ignore[attr-defined]
        done = f"{path} of {site.name} asks for a password, as soon as the edge has it. "
        return (done + access.left_open(path)).rstrip()


class PathForm(SiteForm):
    path = forms.CharField(widget=forms.HiddenInput)


class Unprotect(ServingAction):
    slug, title, icon = "unprotect", "Open to everybody", "lock_open_right"
    tab = "settings"
    form_class = PathForm
    danger = True

    def explain(self, site: Site, form: SiteForm) -> dict[str, Any]:
        path = form["path"].value() or ""
        if path not in (rule["path"] for rule in access.settings_of(site).protection):
            return {"problem": "Nobody is asked for a password there."}
        return {"says": [f"Nobody is asked for a password any more at {path}."]}

    def act(self, site: Site, form: SiteForm, user: User) -> str:
        opened = access.unprotect(site, form.cleaned_data["path"], user)
        return f"Open to everybody: {', '.join(opened)}."


def space_context(site: Site) -> dict[str, Any]:
    """What the objects take, and when some of them go."""
    rows = site.deployments.filter(objects_deleted_at__isnull=True)
    given_up: datetime | None = rows.aggregate(first=Min("pruned_at"))["first"]
    hours = timedelta(hours=access.settings_of(site).delete_after_hours)
    return {
        "site": site,
        "space": retention.space(site),
        "kept": rows.filter(pruned_at__isnull=True).exclude(manifest=b"").count(),
        "goes_at": given_up and given_up + max(hours, retention.SHORTEST_GRACE),
    }
