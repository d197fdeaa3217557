"""The lines of the sidebar: each with what it takes to see the page that it leads to."""

from __future__ import annotations

from typing import Any, NamedTuple

from django.http import HttpRequest
from django.urls import reverse


class Line(NamedTuple):
    """``icon`` is a Material symbol, ``page`` the name of an address of the admin."""

    title: str
    icon: str
    page: str
    permission: str = ""


GROUPS: tuple[tuple[Line, ...], ...] = (
    (
        Line("Home", "home", "index"),
        Line("Sites", "language", "sites_site_changelist", "sites.view_site"),
        Line("Visitors", "monitoring", "sites_visitors", "sites.view_site"),
        Line(
            "Deployments",
            "rocket_launch",
            "deployments_deployment_changelist",
            "deployments.view_deployment",
        ),
        Line("Operations", "construction", "sites_operation_changelist", "sites.view_operation"),
        Line(
            "Invalidations",
            "cached",
            "deployments_invalidation_changelist",
            "deployments.view_invalidation",
        ),
    ),
    (
        Line("Tokens", "key", "deployments_deploytoken_changelist", "deployments.view_deploytoken"),
        Line(
            "Trusted repositories",
            "verified_user",
            "deployments_trustedrepository_changelist",
            "deployments.view_trustedrepository",
        ),
        Line(
            "Repositories",
            "commit",
            "deployments_repository_changelist",
            "deployments.view_repository",
        ),
        Line(
            "Listeners",
            "notifications",
            "deployments_listener_changelist",
            "deployments.view_listener",
        ),
        Line("Teams", "groups", "sites_team_changelist", "sites.view_team"),
        Line("Accounts", "cloud", "sites_account_changelist", "sites.view_account"),
        Line("Users", "group", "auth_user_changelist", "auth.view_user"),
        Line("Audit log", "receipt_long", "sites_auditentry_changelist", "sites.view_auditentry"),
    ),
)


def lines(request: HttpRequest) -> list[list[dict[str, Any]]]:
    """By group, those that the person may follow; one is ``active``: the one whose address is the
    longest beginning of the page's."""
    shown: list[list[dict[str, Any]]] = [
        [
            {"title": line.title, "icon": line.icon, "link": reverse(f"admin:{line.page}")}
            for line in group
            if not line.permission or request.user.has_perm(line.permission)
        ]
        for group in GROUPS
    ]
    active = max(
        (line for group in shown for line in group if is_at(request.path, line["link"])),
        key=lambda line: len(line["link"]),
        default=None,
    )
    for group in shown:
        for line in group:
            line["active"] = line is active
    return [group for group in shown if group]


def is_at(path: str, link: str) -> bool:
    """Whether a page is the line's own or beneath it; everything is beneath the first page."""
    return path == link or (link != "/" and path.startswith(link))
