"""One act for many sites: the page that says what will happen, and the page of how far it is."""

from __future__ import annotations

import hashlib
import uuid
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from django import forms
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import redirect, render
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from cloudadmin.login.again import asked_again
from deployments import tasks
from deployments.bulk import runs
from deployments.bulk.acts import ACTS, BulkAct
from deployments.models import BulkItem, BulkRun
from sites import keyset
from sites.admin.lists import Asked
from sites.admin.site_list import SiteList
from sites.keyset import Order
from sites.models import Site
from sites.people import Act, may, visible
from sites.people.moving import destinations
from sites.waking import wake

if TYPE_CHECKING:
    from django.contrib.auth.models import User

MOST = 20_000
NAMES_SHOWN = 12
RUNS_SHOWN = 20


class OptionsForm(forms.Form):
    """What an act asks; ``shown`` is the digest of the sites that the page said it is for."""

    key = forms.UUIDField(widget=forms.HiddenInput)
    shown = forms.CharField(widget=forms.HiddenInput)

    def __init__(self, *args: Any, act: BulkAct, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if act.asks == "reason":
            self.fields["reason"] = forms.CharField(
                label="Why",
                help_text="Whoever deploys meanwhile reads it, as in “Sale until Monday”.",
                max_length=300,
                widget=UnfoldAdminTextInputWidget(),
            )
        elif act.asks == "team":
            teams = destinations(user)
            self.fields["team"] = forms.TypedChoiceField(
                label="Team",
                choices=[("", "Choose a team"), *((team.pk, team.name) for team in teams)],
                coerce=int,
                widget=UnfoldAdminSelectWidget(),
            )


@dataclass(frozen=True)
class Chosen:
    """The sites of a selection: those that it will be done to, and the others by the reason."""

    sites: list[Site]
    doing: list[Site]
    skipped: list[tuple[str, int, str]]

    @property
    def digest(self) -> str:
        pks = ",".join(str(site.pk) for site in self.sites)
        return hashlib.sha256(pks.encode()).hexdigest()


class BulkMixin(SiteList):
    """The pages of bulk acts, for the admin of sites."""

    list_template = "deployments/sites.html"

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        pages = (
            ("bulk/", self._bulk, "sites_bulk"),
            ("bulk/runs/", self._runs, "sites_bulk_runs"),
            ("bulk/runs/<int:pk>/", self._run, "sites_bulk_run"),
            ("bulk/runs/<int:pk>/panel/", self._run_panel, "sites_bulk_panel"),
            ("bulk/runs/<int:pk>/again/", self._again, "sites_bulk_again"),
            ("bulk/runs/<int:pk>/stop/", self._stop, "sites_bulk_stop"),
        )
        return [path(at, wrap(page), name=name) for at, page, name in pages] + super().get_urls()

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        user = cast("User", request.user)
        context = {
            "acts": [act for act in ACTS.values() if may(user, act.act)],
            "acts_url": reverse("admin:sites_bulk"),
            "runs_url": reverse("admin:sites_bulk_runs"),
        }
        return super().changelist_view(request, context | (extra_context or {}))

    # --- Asking -----------------------------------------------------------------------------------

    def _bulk(self, request: HttpRequest) -> HttpResponse:
        """The selection is in the address, so that what was shown is what is sent."""
        user = cast("User", request.user)
        act = ACTS.get(request.GET.get("act", ""))
        if act is None:
            self.message_user(request, "Choose what to do with the sites first.")
            return redirect("admin:sites_site_changelist")
        if not may(user, act.act):
            raise PermissionDenied
        if act.act is Act.OWN and (question := asked_again(request)):
            return question
        chosen = _chosen(self._selected(request), act, user)
        form = OptionsForm(
            request.POST if request.method == "POST" else None,
            initial={"key": uuid.uuid4(), "shown": chosen.digest},
            act=act,
            user=user,
        )
        has_changed = False
        if request.method == "POST" and form.is_valid() and chosen.doing:
            has_changed = form.cleaned_data["shown"] != chosen.digest
            if not has_changed or BulkRun.objects.filter(key=form.cleaned_data["key"]).exists():
                return self._start(request, act, chosen, form)
        context = {
            **self.admin_site.each_context(request),
            "title": f"{act.title}: {len(chosen.doing):,} site{'s' * (len(chosen.doing) != 1)}",
            "opts": self.opts,
            "act": act,
            "chosen": chosen,
            "names": chosen.doing[:NAMES_SHOWN],
            "more": max(0, len(chosen.doing) - NAMES_SHOWN),
            "most": MOST if len(chosen.sites) >= MOST else 0,
            "form": form,
            "digest": chosen.digest,
            "has_changed": has_changed,
            "back": _list_of(request),
        }
        return TemplateResponse(request, "deployments/bulk.html", context)

    def _selected(self, request: HttpRequest) -> QuerySet[Site]:
        if request.GET.get("all"):
            rows = Asked(request, self).narrowed(self, self.counted(request))
        else:
            given = request.GET.getlist("pk")
            pks = [int(pk) for pk in given if pk.isdecimal() and len(pk) < 19]
            rows = self.counted(request).filter(pk__in=pks)
        user = cast("User", request.user)
        return visible(user, rows).order_by("name")

    def _start(
        self, request: HttpRequest, act: BulkAct, chosen: Chosen, form: OptionsForm
    ) -> HttpResponse:
        options = {act.asks: form.cleaned_data[act.asks]} if act.asks else {}
        user = cast("User", request.user)
        with transaction.atomic():
            run = runs.start(act, chosen.sites, options, user, form.cleaned_data["key"])
            if run.creator_id != user.pk:
                raise PermissionDenied
            wake(tasks.run_bulk.delay, run.pk)
        return redirect("admin:sites_bulk_run", run.pk)

    # --- How far it is ----------------------------------------------------------------------------

    def _runs(self, request: HttpRequest) -> HttpResponse:
        rows = _seen_by(cast("User", request.user)).select_related("creator")
        page = keyset.page(rows, Order("-pk"), request.GET.get("page", ""), RUNS_SHOWN)
        context = {
            **self.admin_site.each_context(request),
            "title": "Bulk runs",
            "opts": self.opts,
            "rows": [(run, _title(run)) for run in page.rows],
            "page": page,
            "is_of_all": cast("User", request.user).is_superuser,
        }
        return TemplateResponse(request, "deployments/bulk_runs.html", context)

    def _run(self, request: HttpRequest, pk: int) -> HttpResponse:
        run = _run_of(request, pk)
        context = {
            **self.admin_site.each_context(request),
            **_run_context(request, run),
            "title": f"{_title(run)}: run {run.pk}",
            "opts": self.opts,
        }
        return TemplateResponse(request, "deployments/bulk_run.html", context)

    def _run_panel(self, request: HttpRequest, pk: int) -> HttpResponse:
        run = _run_of(request, pk)
        return render(request, "deployments/bulk_panel.html", _run_context(request, run))

    def _again(self, request: HttpRequest, pk: int) -> HttpResponse:
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        run = _run_of(request, pk)
        with transaction.atomic():
            count = runs.try_again(run)
            wake(tasks.run_bulk.delay, run.pk)
        self.message_user(request, f"Tried again: {count:,}." if count else "Nothing had failed.")
        return redirect("admin:sites_bulk_run", run.pk)

    def _stop(self, request: HttpRequest, pk: int) -> HttpResponse:
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        run = _run_of(request, pk)
        count = runs.stop(run)
        self.message_user(request, f"Stopped: {count:,} are left as they were.")
        return redirect("admin:sites_bulk_run", run.pk)


def _list_of(request: HttpRequest) -> str:
    """The list as it was narrowed when the sites were selected."""
    asked = request.GET.copy()
    for name in ("act", "pk", "all"):
        asked.pop(name, None)
    return f"{reverse('admin:sites_site_changelist')}?{asked.urlencode()}".rstrip("?")


def _seen_by(user: User) -> QuerySet[BulkRun]:
    """A run is seen by who asked for it, and by superusers."""
    if not may(user, Act.VIEW):
        raise PermissionDenied
    rows = BulkRun.objects.all()
    return rows if user.is_superuser else rows.filter(creator=user)


def _run_of(request: HttpRequest, pk: int) -> BulkRun:
    rows = _seen_by(cast("User", request.user)).select_related("creator")
    run = rows.filter(pk=pk).first()
    if run is None:
        raise Http404("No such run, or none of yours.")
    return run


def _title(run: BulkRun) -> str:
    return ACTS[run.act].title if run.act in ACTS else run.act


def _chosen(rows: QuerySet[Site], act: BulkAct, user: User) -> Chosen:
    sites = list(act.rows(rows)[:MOST])
    doing: list[Site] = []
    reasons: dict[str, list[str]] = defaultdict(list)
    for site in sites:
        if why := act.skipped(site, user):
            reasons[why].append(site.name)
        else:
            doing.append(site)
    skipped = [(why, len(names), _first_of(names)) for why, names in reasons.items()]
    return Chosen(sites, doing, skipped)


def _first_of(names: list[str]) -> str:
    more = len(names) - NAMES_SHOWN
    return ", ".join(names[:NAMES_SHOWN]) + (f" and {more:,} more" if more > 0 else "")


def _run_context(request: HttpRequest, run: BulkRun) -> dict[str, Any]:
    """Those that failed first, then those under way, then what happened last."""
    counts = runs.counts(run)
    total = sum(counts.values())
    over = sum(counts[state] for state in BulkItem.OVER)
    wanted = request.GET.get("state", "")
    # What became of sites that are others' by now is not told any more.
    theirs = visible(cast("User", request.user), Site.objects.all()).order_by().values("pk")
    items = run.items.select_related("site", "operation")
    items = items.filter(Q(site=None) | Q(site__in=theirs))
    if wanted in BulkItem.State.values:
        page = keyset.page(items.filter(state=wanted), Order("pk"), request.GET.get("page", ""))
    else:
        wanted = ""
        page = keyset.page(items, Order("pk"), request.GET.get("page", ""))
    return {
        "run": run,
        "run_title": _title(run),
        "counts": [(state, label, counts[state]) for state, label in BulkItem.State.choices],
        "total": total,
        "over": over,
        "failed": counts[BulkItem.State.FAILURE],
        "waiting": counts[BulkItem.State.QUEUED],
        "is_active": run.state in BulkRun.ACTIVE,
        "wanted": wanted,
        "page": page,
        "cursor": request.GET.get("page", ""),
    }
