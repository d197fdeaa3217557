"""What needs a person, by reason: how many there are, the first of them, and where the rest is."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.db.models import Count, F, QuerySet, Window
from django.urls import reverse

from deployments.admin.attention import failed_deployments
from deployments.limits import nearly_reached
from deployments.models import Deployment
from sites.admin.attention import failed_operations, slow_resources, waiting_operations
from sites.admin.waits import ReadableWait, readable
from sites.certificates import Lifetime, expiring
from sites.drift import Found
from sites.models import Account, Resource
from sites.people import Act, may, visible
from sites.provisioning.drift import Drift, urgency

SHOWN = 4


@dataclass(frozen=True)
class Item:
    """One line: ``about`` is a link, ``says`` a sentence that somebody else may have written."""

    about: str
    url: str
    says: str = ""
    at: datetime | None = None
    waits: list[ReadableWait] = field(default_factory=list)
    is_security: bool = False


@dataclass(frozen=True)
class Group:
    """``tone`` is the class of its badge; ``url`` leads to a list of just these."""

    title: str
    tone: str
    count: int
    items: list[Item]
    url: str = ""

    @property
    def is_cut(self) -> bool:
        return self.count > len(self.items)


def groups(user: User, sites: dict[tuple[str, int], int]) -> list[Group]:
    """The most pressing first; ``sites`` is how many there are by state and account."""
    found = [_waiting(user), _failed(user), _deployments(user), _certificates(user)]
    found += [_drift(user), _slow(user)]
    if may(user, Act.ADMINISTER):
        # Each with what went wrong when its counters were pulled.
        accounts = list(Account.objects.select_related("visit_cursor"))
        found += [_limits(accounts, sites), _pulls(accounts)]
    return [each for each in found if each.count]


def _first(rows: QuerySet[Any]) -> tuple[list[Any], int]:
    """The first rows, and how many there are, in one query."""
    counted = list(rows.annotate(count=Window(Count("*")))[:SHOWN])
    return counted, counted[0].count if counted else 0


def _sites(**filters: str) -> str:
    return reverse("admin:sites_site_changelist", query=filters)


def _site(pk: int | None) -> str:
    return reverse("admin:sites_site_change", args=[pk])


def _operation(row: Any) -> str:
    return _site(row.site_id) if row.site_id else _page_of_operation(row)


def _page_of_operation(row: Any) -> str:
    return reverse("admin:sites_operation_change", args=[row.pk])


def _waiting(user: User) -> Group:
    rows, count = _first(visible(user, waiting_operations(), path="site").defer("plan", "targets"))
    items = [
        Item(str(row), _operation(row), at=row.created_at, waits=readable(row.waits))
        for row in rows
    ]
    return Group("Waits for you", "waits", count, items, _sites(attention="waiting"))


def _failed(user: User) -> Group:
    rows, count = _first(
        visible(user, failed_operations(), path="site").defer("plan", "targets").order_by("-pk")
    )
    items = [
        Item(
            str(row),
            _page_of_operation(row),
            row.error_message or "It ended without a message.",
            row.finished_at,
        )
        for row in rows
    ]
    return Group("Operations failed", "failed", count, items, _sites(attention="failed"))


def _deployments(user: User) -> Group:
    rows, count = _first(
        visible(user, failed_deployments(), path="site").select_related("site").order_by("-pk")
    )
    items = [
        Item(
            f"{row}, a preview" if row.environment == Deployment.Environment.PREVIEW else str(row),
            reverse("admin:deployments_deployment_change", args=[row.pk]),
            row.error_message or "It ended without a message.",
            row.finished_at or row.created_at,
        )
        for row in rows
    ]
    return Group("Deployments failed", "failure", count, items, _sites(attention="deployment"))


def _certificates(user: User) -> Group:
    rows, count = _first(
        visible(user, expiring(), path="site").select_related("site").order_by("expires_at")
    )
    items = [
        Item(
            str(row.site),
            reverse("admin:sites_site_domains", args=[row.site_id]),
            Lifetime(row).brief,
        )
        for row in rows
    ]
    return Group("Certificates expire soon", "waits", count, items, _sites(attention="certificate"))


def _drift(user: User) -> Group:
    """Of several fields of a thing, the most pressing one is shown."""
    rows = visible(user, Resource.objects.exclude(drift=[]), path="site")
    things = rows.select_related("site", "account").annotate(
        count=Window(Count("*")), of_site=F("site__name")
    )
    kept = list(things.order_by("pk")[: 10 * SHOWN])
    found = sorted(
        (Found(row, Drift.from_json(each)) for row in kept for each in row.drift),
        key=lambda each: urgency(each.drift),
    )
    items = [
        Item(
            str(each.resource.site or each.resource.account),
            _site(each.resource.site_id)
            if each.resource.site_id
            else reverse("admin:sites_account_change", args=[each.resource.account_id]),
            each.sentence,
            each.resource.drift_checked_at,
            is_security=each.is_security,
        )
        for each in found[:SHOWN]
    ]
    count = kept[0].count if kept else 0
    return Group("Changed on AWS", "drift", count, items, _sites(drift="yes"))


def _slow(user: User) -> Group:
    rows, count = _first(
        visible(user, slow_resources(), path="site")
        .filter(site__isnull=False)
        .select_related("site")
        .order_by("waiting_since")
    )
    items = [
        Item(
            str(row.site),
            _site(row.site_id),
            f"{row.type}: {row.todo or row.waiting_for}",
            row.waiting_since,
        )
        for row in rows
    ]
    return Group("Waits for more than a day", "waits", count, items, _sites(attention="slow"))


def _limits(accounts: list[Account], sites: dict[tuple[str, int], int]) -> Group:
    items = [
        Item(each.about, each.url, f"{each.says} {each.todo}")
        for each in nearly_reached(accounts, sites)
    ]
    return Group("Nearly used up", "waits", len(items), items[:SHOWN])


def _pulls(accounts: list[Account]) -> Group:
    items = [
        Item(
            str(row),
            reverse("admin:sites_account_change", args=[row.pk]),
            row.visit_cursor.error_message,
            row.visit_cursor.pulled_at,
        )
        for row in accounts
        if hasattr(row, "visit_cursor") and row.visit_cursor.error_message
    ]
    url = reverse("admin:sites_account_changelist")
    return Group("Visits are not pulled", "failure", len(items), items[:SHOWN], url)
