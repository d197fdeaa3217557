"""The statistics of one site for everybody who has the address: nothing else, and nothing to do."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_safe

from sites.models import Kind, Site
from sites.visits import query
from sites.visits.breakdowns import BREAKDOWNS
from sites.visits.ranges import NAMES
from sites.visits.report import asked, panels, report

# Which release was seen is nobody's business.
SHOWN = tuple(each for each in BREAKDOWNS if each.kind != Kind.DEPLOYMENT)


@require_safe
@cache_control(public=True, max_age=60)
def visitors(request: HttpRequest, token: str) -> HttpResponse:
    site = get_object_or_404(Site, visitors_token=token)
    first_day = query.first_day([site])
    about = asked(request.GET, first_day)
    serving = site.domains.filter(redirects=False).exclude(name__startswith="*.")
    context = {
        "name": str(serving.first() or site),
        "asked": about,
        "ranges": NAMES,
        "first_day": first_day,
        "report": report([site], about.range, is_compared=about.is_compared),
        "panels": panels([site], about.range, SHOWN),
    }
    return TemplateResponse(
        request, "sites/visitors_public.html", context, headers={"X-Robots-Tag": "noindex"}
    )
