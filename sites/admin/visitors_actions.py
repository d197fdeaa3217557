"""What is done from the page of the visitors: a public page, and imports of other counters."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from django import forms
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from unfold.widgets import UnfoldBooleanSwitchWidget

from sites.admin.actions import SiteAction, SiteForm
from sites.admin.base import ModelAdmin
from sites.errors import Refused
from sites.models import Site, VisitImport
from sites.visits import imports

if TYPE_CHECKING:
    from django.contrib.auth.models import User

FILES = ".csv,.csv.gz,.gz,.zip"


class VisitorsAction(SiteAction):
    """Has its button on the page of the visitors, and leads back there."""

    def is_offered(self, site: Site, ready: frozenset[str]) -> bool:
        return False

    def view(self, request: HttpRequest, site: Site, model_admin: ModelAdmin[Site]) -> HttpResponse:
        response = super().view(request, site, model_admin)
        is_done = isinstance(response, HttpResponseRedirect)
        return redirect("admin:sites_site_visitors", site.pk) if is_done else response


class MakePublic(VisitorsAction):
    slug, title, icon = "publish-visitors", "Make a public page", "public"

    def explain(self, site: Site, form: SiteForm) -> dict[str, Any]:
        return {
            "says": [
                "The page shows visits, pages, referrers, countries and devices of this site, and "
                "nothing else of cloudadmin. Whoever has its address may look, without a login; "
                "search engines are told to stay away.",
                "Its address cannot be guessed. You can withdraw it at any time; who looked just "
                "before may see it for another minute.",
            ]
        }

    def act(self, site: Site, form: SiteForm, user: User) -> str:
        token = secrets.token_urlsafe()
        # Of two at once, the first one's address stays.
        Site.objects.filter(pk=site.pk, visitors_token="").update(visitors_token=token)
        return f"The visitors of {site.name} have a public page."


class Withdraw(VisitorsAction):
    slug, title, icon = "withdraw-visitors", "Withdraw the public page", "public_off"

    def explain(self, site: Site, form: SiteForm) -> dict[str, Any]:
        return {
            "says": [
                "Its address answers “not here” from now on, also when you make a public page "
                "again: that one gets another address.",
                "Who looked at it just now may see it for another minute: browsers, and caches "
                "on the way, may keep it that long.",
            ]
        }

    def act(self, site: Site, form: SiteForm, user: User) -> str:
        Site.objects.filter(pk=site.pk).update(visitors_token="")
        return f"The public page of {site.name} is withdrawn."


class ImportForm(SiteForm):
    file = forms.FileField(
        label="File",
        widget=forms.FileInput(attrs={"accept": FILES, "class": "file-input"}),
        help_text="The CSV export of GoatCounter, packed or not, or the zip of Plausible.",
        error_messages={"required": "Choose a file."},
    )
    beside_own = forms.BooleanField(
        label="Add the days on which our own counter counted, too",
        required=False,
        widget=UnfoldBooleanSwitchWidget,
        help_text="Only where both did not count the same people, such as on two domains.",
    )


class Import(VisitorsAction):
    slug, title, icon = "import-visitors", "Import statistics", "upload"
    form_class = ImportForm

    def explain(self, site: Site, form: SiteForm) -> dict[str, Any]:
        return {
            "says": [
                "Days that GoatCounter or Plausible counted are added to the statistics. It is all "
                "or nothing, days that are counted already are left as they are, and it can be "
                "undone. The number on your pages stays that of our own counter."
            ]
        }

    def act(self, site: Site, form: SiteForm, user: User) -> str:
        file = form.cleaned_data["file"]
        beside_own = form.cleaned_data["beside_own"]
        done = imports.load(
            site,
            file,
            file.name,
            creator=user,
            beside_own=beside_own,
            limits=imports.IN_A_REQUEST,
        )
        left = f" {done.days_left:,} days are counted already." if done.days_left else ""
        return f"Imported {_pageviews(done)} from {done.first_day} to {done.last_day}.{left}"


class UndoForm(SiteForm):
    visit_import = forms.IntegerField(widget=forms.HiddenInput)


class UndoImport(VisitorsAction):
    slug, title, icon = "undo-import", "Undo the import", "undo"
    form_class = UndoForm

    def explain(self, site: Site, form: SiteForm) -> dict[str, Any]:
        try:
            found = _import(site, form["visit_import"].value())
        except Refused as refused:
            return {"problem": str(refused)}
        return {
            "says": [
                f"What {found.file_name} brought is taken out of the statistics: "
                f"{_pageviews(found)} from {found.first_day} to {found.last_day}. "
                "You can import the file again."
            ]
        }

    def act(self, site: Site, form: SiteForm, user: User) -> str:
        found = _import(site, form.cleaned_data["visit_import"])
        imports.undo(found)
        return f"{found.file_name} is taken out of the statistics."


def _pageviews(of: VisitImport) -> str:
    return f"{of.pageviews:,} pageview{'' if of.pageviews == 1 else 's'}"


def _import(site: Site, pk: Any) -> VisitImport:
    number = str(pk or "")
    is_number = number.isdecimal() and len(number) < 18
    found = VisitImport.objects.filter(site=site, pk=number).first() if is_number else None
    if found is None:
        raise Refused("There is no such import, or not any more.")
    return found
