"""The first page: what needs attention, what is live, what happened, what is under way."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db.models import F, Max, OuterRef, QuerySet, Subquery
from django.http import HttpRequest

from deployments.admin.addresses import address_of, with_addresses
from deployments.models import Deployment
from sites.admin.waits import readable
from sites.models import Operation, Site, VisitCursor
from sites.visits import query

SHOWN = 12
LATEST = 8


def environment(request: HttpRequest) -> list[str] | None:
    """The banner beside the page title: that this is not AWS."""
    return ["Local cloud", "warning"] if settings.AWS_ENDPOINT_URL else None


def home(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Everything that the page shows, in a number of queries that does not grow with the rows."""
    context["title"] = "Home"
    if not request.user.has_perm("sites.view_site"):
        return context | {"may_see": False}
    live = _live()
    visits = query.totals(live)
    return context | {
        "may_see": True,
        "may_add": request.user.has_perm("sites.add_site"),
        "site_count": Site.objects.count(),
        "failed_sites": _failed_sites()[:SHOWN],
        "failed_deployments": _failed_deployments()[:SHOWN],
        "failed_pulls": VisitCursor.objects.exclude(error_message="").select_related("account"),
        "running": _running(),
        "live": [(site, address_of(site), visits.get(site.pk, 0)) for site in live],
        "latest": _deployments().order_by("-pk")[:LATEST],
    }


def _live() -> list[Site]:
    return list(with_addresses(Site.objects.filter(state=Site.State.LIVE))[:SHOWN])


def _failed_sites() -> QuerySet[Site]:
    last = Operation.objects.filter(site=OuterRef("pk")).exclude(error_message="").order_by("-pk")
    return Site.objects.filter(state=Site.State.FAILED).annotate(
        reason=Subquery(last.values("error_message")[:1]),
        failed_at=Subquery(last.values("finished_at")[:1]),
    )


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


def _running() -> list[dict[str, Any]]:
    active = Operation.objects.filter(status__in=Operation.ACTIVE).select_related("site")
    return [{"operation": row, "waits": readable(row.waits)} for row in active[:SHOWN]]


def _deployments() -> QuerySet[Deployment]:
    return Deployment.objects.select_related("site", "creator").defer("manifest")
