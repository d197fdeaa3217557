"""The list of sites, as far as this app knows them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.db.models.functions import Reverse
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from sites.admin.attention import REASONS, Attention
from sites.admin.base import ago, badge
from sites.admin.drift import has_drift, with_drift
from sites.admin.lists import FieldFilter, Filter, ListAdmin
from sites.models import Account, Domain, Resource, Site, Team
from sites.people import visible
from sites.visits import query

SHORTEST_ID = 4


class YesNo(Filter):
    """By a condition that no column has."""

    def __init__(
        self, parameter: str, title: str, yes: str, no: str, condition: Callable[[], Q]
    ) -> None:
        super().__init__(parameter, title)
        self.words, self.condition = [("yes", yes), ("no", no)], condition

    def choices(self, request: HttpRequest) -> list[tuple[str, str]]:
        return self.words

    def apply(self, rows: QuerySet[Any], value: str) -> QuerySet[Any]:
        return rows.filter(self.condition() if value == "yes" else ~self.condition())


class RowFilter(Filter):
    """By what rows refer to: their account, say. ``found`` are those that a person may see."""

    def __init__(
        self,
        parameter: str,
        found: Callable[[HttpRequest], QuerySet[Any]],
        title: str = "",
        path: str = "",
    ) -> None:
        super().__init__(parameter, title)
        self.found, self.path = found, path or f"{parameter}_id"

    def choices(self, request: HttpRequest) -> list[tuple[str, str]]:
        rows = self.found(request).order_by("name").values_list("pk", "name")
        return [(str(pk), name) for pk, name in rows]

    def apply(self, rows: QuerySet[Any], value: str) -> QuerySet[Any]:
        return rows.filter(**{self.path: int(value)})


def found_by(word: str) -> Q:
    """Sites with the word in their name or a domain, or at an end of an id on AWS."""
    found = Q(name__icontains=word) | Q(
        pk__in=Domain.objects.filter(name__icontains=word).order_by().values("site")
    )
    if len(word) < SHORTEST_ID:
        return found
    ids = Q(physical_id__istartswith=word) | Q(turned__istartswith=word[::-1])
    resources = Resource.objects.alias(turned=Reverse("physical_id")).order_by()
    resources = resources.filter(ids, site__isnull=False)
    return found | Q(pk__in=resources.values("site"))


def _teams(request: HttpRequest) -> QuerySet[Team]:
    return visible(request.user, Team.objects.all())


def _accounts(request: HttpRequest) -> QuerySet[Account]:
    """Those in which the person sees a site."""
    sites = visible(request.user, Site.objects.all())
    return Account.objects.filter(pk__in=sites.order_by().values("account"))


class SiteList(ListAdmin[Site]):
    site_path = ""
    list_display: tuple[str, ...] = ("site", "state_badge", "visits", "created")
    tabs = FieldFilter("state", Site.State.choices, is_counted=True)
    more_filters = (
        Attention(*REASONS),
        YesNo("drift", "Drift", "Changed on AWS", "As it was asked for", has_drift),
        RowFilter("account", _accounts),
        RowFilter("team", _teams),
    )
    default_order = "name"
    search_fields = ("name",)
    search_help_text = "Name, domain or AWS id"
    search_hint = "An AWS id is found by its beginning or its end."
    empty = "No site is here yet."
    add_title = "New site"
    empty_hint = "Nothing is created on AWS before you have seen what."

    def get_queryset(self, request: HttpRequest) -> QuerySet[Site]:
        return with_drift(super().get_queryset(request))

    def counted(self, request: HttpRequest) -> QuerySet[Site]:
        return super().get_queryset(request)

    def matching(self, word: str) -> Q:
        return found_by(word)

    def prepared(self, request: HttpRequest, rows: list[Any]) -> None:
        visits = query.totals(rows)
        for site in rows:
            site.visits = visits.get(site.pk, 0)

    @admin.display(description="site", ordering="name")
    def site(self, site: Site) -> str:
        return site.name

    @admin.display(description="state")
    def state_badge(self, site: Any) -> SafeString:
        state = badge(site.state, site.get_state_display())
        return format_html("{} {}", state, badge("drift", "Drift")) if site.has_drift else state

    @admin.display(description="pageviews")
    def visits(self, site: Any) -> SafeString:
        page = reverse("admin:sites_site_visitors", args=[site.pk])
        return format_html('<a class="number" href="{}">{}</a>', page, f"{site.visits:,}")

    @admin.display(description="created", ordering="created_at")
    def created(self, site: Site) -> SafeString | str:
        return ago(site.created_at)
