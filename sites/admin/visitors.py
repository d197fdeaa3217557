"""Visitors: the statistics of one site and of all of them, what was left out, exports, the public
page."""

from __future__ import annotations

import re
from typing import Any, ClassVar

from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse

from sites.admin.actions import SiteAction
from sites.admin.spark import spark
from sites.admin.tabs import TabsMixin
from sites.admin.visitors_actions import Import, MakePublic, UndoImport, Withdraw
from sites.models import Kind, Site, VisitCursor
from sites.people import Act, may, visible
from sites.visits import exports, query, throttling
from sites.visits.breakdowns import BREAKDOWNS, BY_SLUG, SITES, reason_of
from sites.visits.marks import marks
from sites.visits.ranges import NAMES, Range
from sites.visits.report import Panel, Shown, asked, panel, panels, report, sum_of

ROWS_SHOWN = 100
SITES_SHOWN = 20
PAGE_NUMBER = re.compile("[1-9][0-9]{0,5}")
# Of all sites together, whose pages and releases have little to do with each other.
SHARED = tuple(each for each in BREAKDOWNS if each.kind not in (Kind.PATH, Kind.DEPLOYMENT))
CONTENT_TYPES = {"csv": "text/csv; charset=utf-8", "json": "application/json"}
SNIPPET = '<script src="/_cloudadmin/visits.js" defer></script>'
NUMBER = "You are visitor <span data-visits></span>."
BADGE = '<noscript><img src="/_cloudadmin/visits.svg" alt="Visits"></noscript>'


class VisitorsMixin(TabsMixin):
    """The pages, for the admin of sites. Seen by who may see sites."""

    visitor_actions: ClassVar[tuple[SiteAction, ...]] = (
        *(MakePublic(), Withdraw()),
        *(Import(), UndoImport()),
    )

    def get_urls(self) -> list[URLPattern]:
        one, all_sites = "<int:pk>/visitors/", "visitors/"
        pages = (
            (all_sites, self._all_visitors, "sites_visitors"),
            (f"{all_sites}<slug:name>.<slug:ending>", self._export, "sites_visitors_export"),
            (one, self._visitors, "sites_site_visitors"),
            (f"{one}left-out/", self._left_out, "sites_site_left_out"),
            (f"{one}<slug:slug>/", self._breakdown, "sites_site_visitors_by"),
            (f"{one}<slug:name>.<slug:ending>", self._export, "sites_site_visitors_export"),
        )
        wrap = self.admin_site.admin_view
        return [path(at, wrap(page), name=name) for at, page, name in pages] + super().get_urls()

    def _visitors(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The page; with ``?part``, its breakdowns, for which days of all pages are read, or its
        last hour, which asks for itself again."""
        site = self.site_to_see(request, pk)
        context = self._context(request, "Visitors", site)
        range = context["asked"].range
        if request.GET.get("part") == "1":
            context["panels"] = panels([site], range)
            return TemplateResponse(request, "sites/visitors_panels.html", context)
        context["minutes"] = query.live(site)
        context["lately"] = sum_of(context["minutes"])
        context["cursor"] = VisitCursor.objects.filter(account=site.account_id).first()
        if "part" in request.GET:
            return TemplateResponse(request, "sites/visitors_live.html", context)
        if context["first_day"]:
            context["report"] = report([site], range, is_compared=context["asked"].is_compared)
            context["marks"] = marks([site], range)
        address = site.visitors_token and reverse("visitors", args=[site.visitors_token])
        context |= {
            "public_url": address and request.build_absolute_uri(address),
            "imports": site.visit_imports.all(),
            "may_act": may(request.user, Act.OPERATE, site),
            "tab_actions": self.offered(request, site, "visitors"),
        }
        return TemplateResponse(request, "sites/visitors.html", context)

    def _all_visitors(self, request: HttpRequest) -> HttpResponse:
        """The page; with ``?part``, sites and breakdowns, for which rows of every site are read."""
        self._require_view(request)
        context = self._context(request, "Visitors of all sites")
        among = _among(request)
        range = context["asked"].range
        if "part" in request.GET:
            context["panel"] = _sites_panel(among, range, context["asked"].words)
            context["panels"] = panels(among, range, SHARED)
            return TemplateResponse(request, "sites/visitors_all_panels.html", context)
        failed = VisitCursor.objects.exclude(error_message="").select_related("account")
        context["failed_pulls"] = failed if may(request.user, Act.ADMINISTER) else failed.none()
        if context["first_day"]:
            context["report"] = report(among, range, is_compared=context["asked"].is_compared)
        return TemplateResponse(request, "sites/visitors_all.html", context)

    def _breakdown(self, request: HttpRequest, pk: int, slug: str) -> HttpResponse:
        """All rows of one breakdown, a hundred at a time."""
        breakdown = BY_SLUG.get(slug)
        if breakdown is None:
            raise Http404
        site = self.site_to_see(request, pk)
        context = self._context(request, breakdown.title, site)
        number = request.GET.get("page", "")
        page = int(number) if PAGE_NUMBER.fullmatch(number) else 1
        context["number"] = page
        context["panel"] = panel([site], context["asked"].range, breakdown, ROWS_SHOWN, page)
        return TemplateResponse(request, "sites/visitors_by.html", context)

    def _left_out(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The page; with ``?part``, what AWS says of hits that never reached the counter."""
        site = self.site_to_see(request, pk)
        if "part" in request.GET:
            told = {"throttled": throttling.throttling(site)}
            return TemplateResponse(request, "sites/visitors_throttled.html", told)
        context = self._context(request, "Left out", site)
        range = context["asked"].range
        context["reasons"] = [(row, reason_of(row.value)) for row in query.left_out(site, range)]
        context["sums"] = query.sums([site], range)
        return TemplateResponse(request, "sites/left_out.html", context)

    def _export(
        self, request: HttpRequest, name: str, ending: str, pk: int | None = None
    ) -> HttpResponse:
        self._require_view(request)
        site = self.site_to_see(request, pk) if pk else None
        if ending not in CONTENT_TYPES:
            raise Http404
        try:
            first_day = query.first_day([site] if site else _among(request))
            range = asked(request.GET, first_day).range
            found = exports.export(name, site, range, among=_among(request))
        except ValueError as error:
            raise Http404 from error
        return HttpResponse(
            found.as_csv() if ending == "csv" else found.as_json(),
            content_type=CONTENT_TYPES[ending],
            headers={"Content-Disposition": f'attachment; filename="{found.file_name}.{ending}"'},
        )

    def _context(
        self, request: HttpRequest, title: str, site: Site | None = None
    ) -> dict[str, Any]:
        """What all of the pages show: the range, and where to choose another one."""
        first_day = query.first_day([site] if site else _among(request))
        return {
            **(
                self.page_context(request, site, "visitors")
                if site
                else self.admin_site.each_context(request)
            ),
            "title": title,
            "opts": Site._meta,
            "original": site,
            "site": site,
            "first_day": first_day,
            "asked": asked(request.GET, first_day),
            "ranges": NAMES,
            "snippets": (SNIPPET, NUMBER, BADGE),
        }

    def _require_view(self, request: HttpRequest) -> None:
        if not self.has_view_permission(request):
            raise PermissionDenied


def visits_context(site: Site) -> dict[str, Any]:
    """For the overview of the site: all that was counted, and its last 30 days as a line."""
    context: dict[str, Any] = {"visits": query.total(site)}
    if not site.has_counter:
        return context
    lately = report([site], asked({}, None).range, is_compared=False)
    return context | {"lately": lately, "spark": spark(lately.points)}


def _among(request: HttpRequest) -> QuerySet[Site] | None:
    """The sites that this person sees; None for all there are, which are asked faster."""
    sees_all = may(request.user, Act.ADMINISTER)
    return None if sees_all else visible(request.user, Site.objects.all())


def _sites_panel(among: QuerySet[Site] | None, range: Range, words: str) -> Panel:
    rows = query.by_site(range, SITES_SHOWN + 1, sites=among)
    pages = {row: reverse("admin:sites_site_visitors", args=[row.site_id]) for row in rows}
    shown = [Shown(row.name, f"{pages[row]}?range={words}", row) for row in rows[:SITES_SHOWN]]
    return Panel(SITES, shown, len(rows) > SITES_SHOWN)
