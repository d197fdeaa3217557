"""The pages of one site: each has an address of its own, and all of them the same head."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from django.http import Http404, HttpRequest
from django.urls import reverse

from sites.admin.actions import SiteAction
from sites.admin.base import ModelAdmin
from sites.models import Site
from sites.people import Act, may


@dataclass(frozen=True)
class Tab:
    """``name`` ends the name of its address: ``admin:sites_site_<name>``."""

    name: str
    title: str


OVERVIEW = Tab("change", "Overview")
TABS = (
    OVERVIEW,
    Tab("visitors", "Visitors"),
    Tab("domains", "Domains"),
    Tab("resources", "Resources"),
    Tab("activity", "Activity"),
    Tab("people", "People"),
    Tab("settings", "Settings"),
    Tab("cost", "Cost"),
)


class TabsMixin(ModelAdmin[Site]):
    """What every page of a site needs to be shown as one of them."""

    pages: ClassVar[tuple[Tab, ...]] = TABS
    site_actions: ClassVar[tuple[SiteAction, ...]] = ()
    head_template = "sites/head.html"

    def site_to_see(self, request: HttpRequest, pk: int | str) -> Any:
        """With what its head shows. Raises Http404 for a site that is not this person's to see."""
        site = self.get_object(request, str(pk))
        if site is None or not may(request.user, Act.VIEW, site):
            raise Http404(f"There is no site {pk} that you may see.")
        return site

    def page_context(self, request: HttpRequest, site: Site, tab: str) -> dict[str, Any]:
        """For a template that extends ``sites/page.html``."""
        titles = {each.name: each.title for each in self.pages}
        return {
            **self.admin_site.each_context(request),
            **self.head_context(site),
            "title": site.name if tab == OVERVIEW.name else titles.get(tab, site.name),
            "opts": Site._meta,
            "original": site,
            "head_template": self.head_template,
            "tabs": [
                (each.title, reverse(f"admin:sites_site_{each.name}", args=[site.pk]), each.name)
                for each in self.pages
            ],
            "tab": tab,
        }

    def head_context(self, site: Site) -> dict[str, Any]:
        """What the head says, from ``site_to_see`` without a query."""
        return {"site": site}

    def offered(self, request: HttpRequest, site: Site, tab: str) -> list[SiteAction]:
        """What this person is offered on that page of the site."""
        ready = frozenset(site.resources.filter(is_ready=True).values_list("logical_id", flat=True))
        return [
            action
            for action in self.site_actions
            if action.tab == tab
            and request.user.has_perm(action.permission, site)
            and action.is_offered(site, ready)
        ]
