"""Adding a domain to a site and removing one: rows first, AWS with the next plan."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from django import forms
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.widgets import UnfoldAdminTextInputWidget, UnfoldBooleanSwitchWidget

from sites.admin.actions import SiteAction, SiteForm
from sites.errors import Refused
from sites.models import Domain, Site
from sites.models.domain import as_typed
from sites.signals import site_provisioned

if TYPE_CHECKING:
    from django.contrib.auth.models import User

NONE_SERVES = "Every domain would redirect, and none is left to redirect to. Let one of them serve."


class DomainField(forms.CharField):
    """As DNS reads it."""

    def to_python(self, value: Any) -> str:
        return as_typed(super().to_python(value) or "")


class AddDomainForm(SiteForm):
    name = DomainField(
        label="Domain",
        max_length=253,
        help_text="As in example.com or www.example.com. *.preview.example.com is for previews.",
        widget=UnfoldAdminTextInputWidget(
            attrs={"autocomplete": "off", "spellcheck": "false", "autocapitalize": "none"}
        ),
    )
    redirects = forms.BooleanField(
        label="Redirect to the site's address",
        help_text="For www.example.com beside example.com, or the other way round.",
        required=False,
        widget=UnfoldBooleanSwitchWidget(),
    )

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        name, redirects = cleaned.get("name"), bool(cleaned.get("redirects"))
        if not name:
            return cleaned
        self.row = Domain(site=self.site, name=name, redirects=redirects)
        try:
            self.row.full_clean()
        except forms.ValidationError as error:
            for messages in error.message_dict.values():
                for message in messages:
                    self.add_error("name", _in_words(message, name))
            return cleaned
        if redirects and not _serving(self.site.domains.all()):
            self.add_error("redirects", NONE_SERVES)
        return cleaned


def _in_words(message: str, name: str) -> str:
    return f"{name} is a domain of a site already." if "already exists" in message else message


def _serving(domains: Iterable[Domain]) -> list[Domain]:
    return [each for each in domains if not each.redirects and not each.is_wildcard]


class DomainAction(SiteAction):
    tab = "domains"

    def is_offered(self, site: Site, ready: frozenset[str]) -> bool:
        return False  # the page of domains has its buttons


class AddDomain(DomainAction):
    slug, title, icon = "add-domain", "Add a domain", "add"
    form_class = AddDomainForm

    def explain(self, site: Site, form: SiteForm) -> dict[str, Any]:
        return {
            "says": [
                "Nothing changes on AWS until you see the plan and provision. The site goes on "
                "serving where it does."
            ]
        }

    def act(self, site: Site, form: SiteForm, user: User) -> SafeString | str:
        form.row.save()  # type: ignore[attr-defined]
        return _saved(site, f"{form.cleaned_data['name']} is added.")


class DomainIdForm(SiteForm):
    domain = forms.IntegerField(widget=forms.HiddenInput, max_value=2**63 - 1)

    def row(self) -> Domain:
        """Raises Refused when there is none, or no more."""
        value = str(self["domain"].value() or "")
        pk = int(value) if value.isascii() and value.isdigit() and len(value) < 19 else 0
        found = self.site.domains.filter(pk=pk).first()
        if found is None:
            raise Refused("This domain is not one of the site's, or not any more.")
        return found


class RemoveDomain(DomainAction):
    slug, title, icon = "remove-domain", "Remove the domain", "delete"
    form_class = DomainIdForm
    danger = True

    def explain(self, site: Site, form: SiteForm) -> dict[str, Any]:
        try:
            row = form.row()  # type: ignore[attr-defined]
            self._require_another(site, row)
        except Refused as refused:
            return {"problem": str(refused)}
        return {
            "says": [
                f"{row.name} leads nowhere once you have provisioned: its records and its part of "
                "the certificate go from AWS then. What you made at another DNS stays there."
            ]
        }

    def act(self, site: Site, form: SiteForm, user: User) -> SafeString | str:
        row: Domain = form.row()  # type: ignore[attr-defined]
        self._require_another(site, row)
        row.delete()
        return _saved(site, f"{row.name} is removed.")

    def _require_another(self, site: Site, row: Domain) -> None:
        others: Sequence[Domain] = list(site.domains.exclude(pk=row.pk))
        if any(each.redirects for each in others) and not _serving(others):
            raise Refused(
                f"{row.name} is what the site's other domains redirect to. Remove them first, or "
                "add one that serves."
            )


def _saved(site: Site, said: str) -> SafeString | str:
    if site.state == Site.State.DRAFT:
        return said
    # A new domain has its head before the edge answers for it.
    site_provisioned.send(sender=Site, site=site)
    return format_html(
        '{} AWS has not been told yet: <a class="text-link" href="{}">see the plan, then '
        "provision</a>.",
        said,
        reverse("admin:sites_site_provision", args=[site.pk]),
    )
