"""The first page: what needs a person, what is under way, what the day brought, who visits.

The number of its queries does not grow with the rows, nor does any of them read a whole table of
deployments: what has failed and what is under way are indexes of their own.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db.models import Count, Q, QuerySet, Window
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from cloudadmin.dashboard.attention import groups
from cloudadmin.dashboard.visits import visits
from deployments.admin.addresses import address_of, with_addresses
from deployments.admin.shown import word_for
from deployments.models import Deployment, Launch
from sites.admin.base import badge
from sites.admin.waits import by_urgency, readable
from sites.models import Operation, Site
from sites.people import Act, may, visible

SHOWN = 6
LATEST = 8
# So many sites are shown with their addresses; of more there is a list.
FEW = 10
DAY = timedelta(days=1)


def home(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """What the page shows; with ``?part=live`` what of it changes while something is under way."""
    context["title"] = "Home"
    user: Any = request.user
    # Before what they lead to: what ends meanwhile is asked for again.
    context |= {**_operations(user), **_deployments(user)}
    sites = visible(user, Site.objects.all())
    counts = _counts(sites)
    total = sum(counts.values())
    context |= {
        "new_site_url": reverse("new-site") if may(user, Act.CREATE) else "",
        "launches": Launch.objects.filter(owner=user).exclude(state=Launch.State.DONE)[:SHOWN],
        "site_count": total,
        "live_count": sum(n for (state, _), n in counts.items() if state == Site.State.LIVE),
    }
    if not total:
        return context
    found = groups(user, counts)
    context |= {"groups": found, "attention_count": sum(each.count for each in found)}
    context["is_live"] = bool(context["operation_count"] or context["deploying_count"])
    if request.GET.get("part") == "live":
        return context
    context["visits"] = visits(None if user.is_superuser else sites)
    if total <= FEW:
        shown = with_addresses(sites.filter(state=Site.State.LIVE))
        context["sites"] = [(site, address_of(site)) for site in shown]
    return context


def _counts(sites: QuerySet[Site]) -> dict[tuple[str, int], int]:
    """How many there are by state and account."""
    rows = sites.order_by().values_list("state", "account").annotate(count=Count("*"))
    return {(state, account): count for state, account, count in rows}


def _operations(user: Any) -> dict[str, Any]:
    """What goes on by itself, the longest first."""
    active = visible(user, Operation.objects.filter(status__in=Operation.ACTIVE), path="site")
    rows = list(
        by_urgency(active)
        .filter(is_on_you=False)
        .defer("plan", "targets")
        .annotate(count=Window(Count("*")))[:SHOWN]
    )
    return {
        "operations": [(row, readable(row.waits)) for row in rows],
        "operation_count": rows[0].count if rows else 0,
    }


def _deployments(user: Any) -> dict[str, Any]:
    """Those under way, and those of the last 24 hours, which are counted in an index alone."""
    seen = visible(user, Deployment.objects.select_related("site", "creator"), path="site")
    rows = seen.defer("manifest").order_by("-pk")
    active = list(
        rows.filter(state__in=Deployment.ACTIVE).annotate(count=Window(Count("*")))[:SHOWN]
    )
    since = Q(created_at__gte=timezone.now() - DAY)
    failed = Q(state__in=Deployment.FAILED)
    counts = seen.filter(since).aggregate(all=Count("state"), failed=Count("state", filter=failed))
    lately = list(rows.filter(since)[:LATEST])
    return {
        "deploying": active,
        "deploying_count": active[0].count if active else 0,
        "is_refreshed": any(row.state in Deployment.ACTIVE for row in lately),
        "lately": [(row, badge(*word_for(row))) for row in lately],
        "lately_count": counts["all"],
        "lately_failed": counts["failed"],
    }
