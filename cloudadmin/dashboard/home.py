"""The first page: what needs attention, what is live, what happened, what is under way."""

from __future__ import annotations

from typing import Any

from django.db.models import F, Max, OuterRef, Q, QuerySet, Subquery
from django.http import HttpRequest

from deployments.admin.addresses import address_of, with_addresses
from deployments.models import Deployment
from sites.admin.drift import has_drift
from sites.admin.waits import by_urgency, readable
from sites.drift import Found
from sites.models import Operation, Resource, Site, VisitCursor
from sites.provisioning.drift import Drift, urgency
from sites.visits import query

SHOWN = 12
LATEST = 8
WORST = 4
FAILED = (Operation.Status.FAILURE, Operation.Status.NEEDS_ATTENTION)


def home(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Everything that the page shows, in a number of queries that does not grow with the rows."""
    context["title"] = "Home"
    if not request.user.has_perm("sites.view_site"):
        return context | {"may_see": False}
    on_you, running = _active()
    live = _live()
    visits = query.totals(live)
    return context | {
        "may_see": True,
        "may_add": request.user.has_perm("sites.add_site"),
        "site_count": Site.objects.count(),
        "on_you": on_you,
        "failed_sites": _failed_sites()[:SHOWN],
        **_drift(),
        "failed_deployments": _failed_deployments()[:SHOWN],
        "failed_pulls": VisitCursor.objects.exclude(error_message="").select_related("account"),
        "running": running,
        "live": [(site, address_of(site), visits.get(site.pk, 0)) for site in live],
        "latest": _deployments().order_by("-pk")[:LATEST],
    }


def _live() -> list[Site]:
    return list(with_addresses(Site.objects.filter(state=Site.State.LIVE))[:SHOWN])


def _failed_sites() -> QuerySet[Site]:
    """Those whose last operation failed, be they live still."""
    last = Operation.objects.filter(site=OuterRef("pk")).order_by("-pk")
    return (
        Site.objects.annotate(
            last_status=Subquery(last.values("status")[:1]),
            reason=Subquery(last.values("error_message")[:1]),
            failed_at=Subquery(last.values("finished_at")[:1]),
        )
        .filter(Q(state=Site.State.FAILED) | Q(last_status__in=FAILED))
        .order_by("-failed_at")
    )


def _drift() -> dict[str, Any]:
    """How many sites have drift, and the worst of it."""
    rows = Resource.objects.exclude(drift=[]).select_related("site", "account")
    found = [Found(row, Drift.from_json(each)) for row in rows[:SHOWN] for each in row.drift]
    found.sort(key=lambda each: urgency(each.drift))
    return {
        "drift_count": Site.objects.filter(has_drift()).count() if found else 0,
        "drifts": found[:WORST],
    }


def _failed_deployments() -> QuerySet[Deployment]:
    """Failed ones that no later deployment of their site has made up for."""
    latest = Deployment.objects.filter(site=OuterRef("site")).order_by().values("site")
    return (
        _deployments()
        .filter(state__in=[Deployment.State.FAILURE, Deployment.State.ERROR])
        .alias(newest=Subquery(latest.annotate(newest=Max("number")).values("newest")))
        .filter(number=F("newest"))
        .order_by("-pk")
    )


def _active() -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """What waits for a person, and what is under way by itself."""
    active = Operation.objects.filter(status__in=Operation.ACTIVE).defer("plan", "targets")
    shown = [
        {"operation": row, "waits": readable(row.waits), "is_on_you": row.is_on_you}
        for row in by_urgency(active)[:SHOWN]
    ]
    return (
        [each for each in shown if each["is_on_you"]],
        [each for each in shown if not each["is_on_you"]],
    )


def _deployments() -> QuerySet[Deployment]:
    return Deployment.objects.select_related("site", "creator").defer("manifest")
