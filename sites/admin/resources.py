"""What a site has on AWS, with what was changed there; and what all of it costs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone

from sites.admin.console import console_url
from sites.admin.drift import drift_context
from sites.admin.tabs import TabsMixin
from sites.models import Operation, Resource, Site
from sites.people import Act, may
from sites.provisioning.costs import Cost, cost_of
from sites.provisioning.estimate import Line, Usage, assumptions, estimate, total
from sites.visits import query
from sites.visits.ranges import Range

MOST_VIEWS = 10**9
TRIES = (("10,000", 10_000), ("100,000", 100_000), ("1 million", 1_000_000))


@dataclass(frozen=True)
class ShownResource:
    """``url`` is its page in AWS's console, "" on the local cloud, which has none."""

    row: Resource
    url: str

    @property
    def tags(self) -> dict[str, str]:
        found = self.row.inputs.get("tags")
        return found if isinstance(found, dict) else {}

    @property
    def cost(self) -> Cost:
        return cost_of(self.row.type)


@dataclass(frozen=True)
class Bar:
    """A line of the estimate; ``width`` in hundredths of the dearest."""

    line: Line
    width: float


class ResourcesMixin(TabsMixin):
    """The pages “Resources” and “Cost”."""

    def resources_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        site = self.site_to_see(request, pk)
        rows = list(site.resources.all())
        region = "" if settings.AWS_ENDPOINT_URL else site.account.region
        return TemplateResponse(
            request,
            "sites/resources_page.html",
            {
                **self.page_context(request, site, "resources"),
                **drift_context(site, request.user),
                "resources": [
                    ShownResource(row, console_url(row, region) if region else "") for row in rows
                ],
                "is_local": bool(settings.AWS_ENDPOINT_URL),
                "not_ready": sum(not row.is_ready for row in rows),
                "running": site.operations.filter(status__in=Operation.ACTIVE).exists(),
                "may_act": may(request.user, Act.OPERATE, site),
            },
        )

    def cost_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """``?views`` tries another number of pageviews a month."""
        site = self.site_to_see(request, pk)
        words = request.GET.get("views", "").replace(",", "").strip()
        is_number = words.isascii() and words.isdigit() and int(words[:12]) <= MOST_VIEWS
        tried = int(words) if is_number and len(words) < 12 else None
        usage = self.usage(site) if tried is None else self.usage(site, tried)
        own, shared = self._types(site)
        lines = estimate(own, shared, usage, site.account.sites.count())
        dearest = max((line.amount for line in lines), default=0)
        return TemplateResponse(
            request,
            "sites/cost.html",
            {
                **self.page_context(request, site, "cost"),
                "bars": [
                    Bar(line, round(float(100 * line.amount / dearest), 1) if dearest else 0)
                    for line in lines
                ],
                "total": total(lines),
                "usage": usage,
                "assumptions": list(assumptions(usage)),
                "tried": tried,
                "tries": TRIES,
                "problem": ""
                if not words or tried is not None
                else f"“{words[:40]}” is not a number of pageviews up to a billion.",
            },
        )

    def usage(self, site: Site, pageviews: int | None = None) -> Usage:
        """Of the last 30 days, as far as it is known here; or with so many pageviews."""
        if pageviews is None and site.has_counter:
            today = timezone.now().date()
            counted = query.sums([site], Range(today - timedelta(days=29), today))
            pageviews = counted.pageviews + counted.bots
        return Usage(pageviews=pageviews)

    def _types(self, site: Site) -> tuple[list[str], list[str]]:
        """Of what the site has, and of what its account's sites share."""
        rows = Resource.objects.filter(account=site.account_id, site__in=[site.pk])
        shared = Resource.objects.filter(account=site.account_id, site=None)
        if not site.has_counter:
            shared = shared.none()
        return (
            list(rows.values_list("type", flat=True)),
            list(shared.values_list("type", flat=True)),
        )
