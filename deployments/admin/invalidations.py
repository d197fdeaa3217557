"""What CloudFront is asked to forget: a page for each site, the history, the account's ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db import transaction
from django.db.models import Count, Exists, OuterRef, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timesince import timesince
from unfold.widgets import UnfoldAdminTextareaWidget

from deployments import invalidations, tasks
from deployments.errors import DeploymentRefused
from deployments.invalidations import Plan, waits_for
from deployments.invalidations.ledger import FREE, Ledger, ledger, ledgers, priced
from deployments.models import Invalidation
from deployments.target import target_of
from sites.admin.base import HistoryAdmin, ago, badge, shortened
from sites.admin.lists import AskedFilter, FieldFilter, ListAdmin
from sites.errors import Refused, for_people
from sites.models import Account, Site
from sites.people import Act, get_for, may, visible
from sites.waking import wake

if TYPE_CHECKING:
    from django.contrib.auth.models import User

PER_PAGE = 25
UNDER_WAY_SHOWN = 20
ACCOUNTS_SHOWN = 5
SITES_SHOWN = 100


class PlanForm(forms.Form):
    """``planned``: what the page showed would be sent, so that nothing else is."""

    paths = forms.CharField(
        label="Paths, one per line",
        help_text="Such as /data/* or /feed.xml; an address of the site will do. A star works at "
        "the end alone, where it stands for anything.",
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 4, "spellcheck": "false"}),
    )
    planned = forms.CharField(required=False, widget=forms.HiddenInput)

    def clean_paths(self) -> list[str]:
        return [line.strip() for line in self.cleaned_data["paths"].splitlines() if line.strip()]


@admin.register(Invalidation)
class InvalidationAdmin(ListAdmin[Invalidation], HistoryAdmin[Invalidation]):
    list_display = ("first_paths", "of_site", "status_badge", "asked", "told")
    tabs = FieldFilter(
        "status",
        Invalidation.Status.choices,
        groups={"active": ("Under way", Invalidation.ACTIVE)},
    )
    more_filters = (AskedFilter("when"),)
    empty = "Nothing was invalidated yet."
    empty_hint = "Deployments never need it."
    site_path = "site"
    list_before_template = "deployments/invalidation_ledgers.html"
    search_fields = ("site__name", "invalidation_id", "error_message")
    search_help_text = "A site's name, CloudFront's id, or words of an error"
    fields = readonly_fields = (
        "of_site",
        "all_paths",
        "status_badge",
        "told",
        "merged_into",
        "invalidation_id",
        "creator",
        "created_at",
        "submitted_at",
        "completed_at",
    )

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        name = "deployments_invalidation_site"
        return [
            path("site/", wrap(self._open), name=f"{name}s"),
            path("site/<int:pk>/", wrap(self._site), name=name),
            *super().get_urls(),
        ]

    # --- The history of all sites -----------------------------------------------------------------

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        sites = visible(request.user, Site.objects.exclude(state=Site.State.DRAFT))
        theirs = Account.objects.filter(Exists(sites.filter(account=OuterRef("pk")).order_by()))
        accounts = list(theirs.order_by("name"))
        found = ledgers(account.aws_account_id for account in accounts)
        accounts.sort(key=lambda account: -found[account.aws_account_id].used)
        context = {
            "ledgers": [
                (account, found[account.aws_account_id], facts(found[account.aws_account_id]))
                for account in accounts[:ACCOUNTS_SHOWN]
            ],
            "accounts": len(accounts),
            # Of more, the name has to be known.
            "sites": sites.order_by("name").values_list("name", flat=True)[:SITES_SHOWN],
        }
        return super().changelist_view(request, context | (extra_context or {}))

    def get_queryset(self, request: HttpRequest) -> QuerySet[Invalidation]:
        return super().get_queryset(request).select_related("site", "merged_into")

    @admin.display(description="paths")
    def first_paths(self, row: Invalidation) -> str:
        more = len(row.paths) - 3
        return f"{row} and {more} more" if more > 0 else str(row)

    @admin.display(description="paths")
    def all_paths(self, row: Invalidation) -> str:
        return ", ".join(row.paths)

    @admin.display(description="site")
    def of_site(self, row: Invalidation) -> SafeString:
        return format_html('<a class="text-link" href="{}">{}</a>', _page(row.site), row.site)

    @admin.display(description="status")
    def status_badge(self, row: Invalidation) -> SafeString:
        return badge(row.status, row.get_status_display())

    @admin.display(description="asked for", ordering="pk")
    def asked(self, row: Invalidation) -> SafeString | str:
        return ago(row.created_at)

    @admin.display(description="what is known")
    def told(self, row: Invalidation) -> SafeString | str:
        if row.merged_into:
            return f"Went out with “{row.merged_into}”."
        if row.submitted_at and row.completed_at:
            return f"Took {_took(row)}."
        return waits_for(row) or shortened(row.error_message)

    # --- The page of a site -----------------------------------------------------------------------

    def _open(self, request: HttpRequest) -> HttpResponse:
        """The page of the site whose name was given in the list; else the sites that have it in
        theirs."""
        name = request.GET.get("site", "").replace("\0", "").strip()
        site = visible(request.user, Site.objects.filter(name=name)).first()
        return redirect(_page(site) if site else _sites_with(name))

    def _site(self, request: HttpRequest, pk: int) -> HttpResponse:
        """With ``?part`` what changes by itself. A POST shows the plan, or sends what it showed."""
        site = get_for(request.user, Act.VIEW, Site.objects.select_related("account"), pk=pk)
        if "part" in request.GET:
            context = _under_way(request, site)
            return TemplateResponse(request, "deployments/invalidations_panel.html", context)
        form = PlanForm(request.POST or None)
        plan: Plan | None = None
        if request.method == "POST":
            if not may(request.user, Act.DEPLOY, site):
                raise PermissionDenied
            plan = _planned(site, form)
            if plan and _is_sent(form, plan):
                row = _send(site, plan, cast("User", request.user))
                self.log_addition(request, row, "Asked for.")
                self.message_user(request, f"The invalidation of {row} is on its way.")
                return redirect(_page(site))
        context = self._context(request, site) | {"form": form, "plan": plan}
        if plan:
            context |= {
                "price": priced(plan.price),
                "planned": "\n".join(plan.paths),
                "has_moved": "send" in request.POST,
            }
        return TemplateResponse(request, "deployments/invalidations.html", context)

    def _context(self, request: HttpRequest, site: Site) -> dict[str, Any]:
        return {
            **self.admin_site.each_context(request),
            **_under_way(request, site),
            "title": f"Invalidations: {site.name}",
            "opts": Site._meta,
            "original": site,
            "may_invalidate": may(request.user, Act.DEPLOY, site),
            "refused": _refused(site),
        }


def facts(found: Ledger) -> list[tuple[str, str]]:
    """A ledger in words."""
    forecast = f"{found.forecast:,} paths, {priced(found.forecast_cost)}"
    return [
        ("Free paths used", f"{min(found.used, FREE):,} of {FREE:,}"),
        ("To pay so far", priced(found.cost)),
        ("The next path costs", priced(found.next_price)),
        ("By the end of the month", forecast),
    ]


def _under_way(request: HttpRequest, site: Site) -> dict[str, Any]:
    """What changes by itself."""
    rows = Invalidation.objects.filter(site=site)
    active = rows.filter(status__in=Invalidation.ACTIVE).order_by("pk")
    under_way = [(row, waits_for(row)) for row in active[: UNDER_WAY_SHOWN + 1]]
    ended = rows.exclude(status__in=Invalidation.ACTIVE)
    history = ended.select_related("creator", "merged_into").order_by("-pk")
    page = Paginator(history, PER_PAGE).get_page(request.GET.get("page"))
    shown = list(page)
    together = dict(
        Invalidation.objects.filter(merged_into__in=shown)
        .order_by()
        .values_list("merged_into")
        .annotate(Count("pk"))
    )
    found = ledger(site.account)
    return {
        "site": site,
        "ledger": found,
        "facts": facts(found),
        "under_way": under_way[:UNDER_WAY_SHOWN],
        "has_more": len(under_way) > UNDER_WAY_SHOWN,
        "usual": invalidations.usual_seconds(site.account),
        "page": page,
        "history": [(row, _took(row), together.get(row.pk)) for row in shown],
    }


def _took(row: Invalidation) -> str:
    if row.submitted_at is None or row.completed_at is None:
        return "–"
    seconds = (row.completed_at - row.submitted_at).total_seconds()
    return f"{seconds:.0f} s" if seconds < 120 else timesince(row.submitted_at, row.completed_at)


def _sites_with(name: str) -> str:
    return reverse("admin:sites_site_changelist", query={"q": name[:40]} if name else None)


def _page(site: Site) -> str:
    return reverse("admin:deployments_invalidation_site", args=[site.pk])


def _refused(site: Site) -> str:
    """Why nothing can be invalidated; empty when it can."""
    try:
        target_of(site)
    except DeploymentRefused as refused:
        return str(refused)
    return ""


def _planned(site: Site, form: PlanForm) -> Plan | None:
    """None when the form says what is wrong."""
    if not form.is_valid():
        return None
    try:
        with for_people():
            return invalidations.plan(site, form.cleaned_data["paths"])
    except ValueError as error:
        form.add_error("paths", str(error))
    except Refused as refused:
        form.add_error(None, str(refused))
    return None


def _is_sent(form: PlanForm, plan: Plan) -> bool:
    """Whether a person has seen this very plan and said yes."""
    seen = form.cleaned_data["planned"].split()
    return "send" in form.data and seen == list(plan.paths)


def _send(site: Site, plan: Plan, user: User) -> Invalidation:
    with transaction.atomic():
        row = invalidations.request(site, list(plan.asked), user)
        wake(tasks.send_invalidation.delay, row.pk)
    return row
