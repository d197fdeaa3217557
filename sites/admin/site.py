"""The pages of sites, as far as this app knows them; ``deployments.admin`` adds its part."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, cast

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html

from cloudadmin.login.again import asked_again
from sites import drift, pending
from sites.admin.actions import Destroy, SiteAction, SyncVisits
from sites.admin.activity import ActivityMixin
from sites.admin.domain_actions import AddDomain, RemoveDomain
from sites.admin.domains import DomainsMixin
from sites.admin.drift import Accept, CheckDrift, Unaccept
from sites.admin.people import SitePeople
from sites.admin.plan import Provision, Restore
from sites.admin.resources import ResourcesMixin
from sites.admin.settings import SettingsForm, what_aws_needs
from sites.admin.site_list import SiteList
from sites.admin.visitors import VisitorsMixin, visits_context
from sites.admin.waits import readable
from sites.certificates import Lifetime, expiring
from sites.models import Operation, Site
from sites.people import Act, may
from sites.people.moving import destinations
from sites.signals import site_provisioned

if TYPE_CHECKING:
    from django.contrib.auth.models import User


class SiteAdmin(SitePeople, SiteList, VisitorsMixin, DomainsMixin, ResourcesMixin, ActivityMixin):
    actions = None
    form = SettingsForm
    fields = (
        "name",
        "account",
        "team",
        "price_class",
        "headers",
        "trailing_slash",
        "is_spa",
        "has_counter",
        "injects_snippet",
    )
    sections: ClassVar[tuple[tuple[str, tuple[str, ...]], ...]] = (
        ("Site", ("name", "account")),
        ("Delivery", ("price_class", "trailing_slash", "is_spa")),
        ("Security", ("headers",)),
        ("Visitors", ("has_counter", "injects_snippet")),
    )
    change_form_template = "sites/settings.html"
    overview_template = "sites/overview.html"
    panel_template = "sites/panel.html"
    site_actions: ClassVar[tuple[SiteAction, ...]] = (Provision(), SyncVisits(), Destroy())
    drift_actions: ClassVar[tuple[SiteAction, ...]] = (
        Restore(),
        Accept(),
        Unaccept(),
        CheckDrift(),
    )
    domain_actions: ClassVar[tuple[SiteAction, ...]] = (AddDomain(), RemoveDomain())

    # --- One site -----------------------------------------------------------------------------

    def get_readonly_fields(self, request: HttpRequest, obj: Site | None = None) -> tuple[str, ...]:
        if obj is None:
            return ()
        fixed = ("name", self._account(request))
        return fixed if may(request.user, Act.OWN, obj) else (*fixed, "team")

    def _account(self, request: HttpRequest) -> str:
        """Django makes a link of an account, which leads all but superusers to a page of no."""
        return "account" if may(request.user, Act.ADMINISTER) else "account_name"

    @admin.display(description="account")
    def account_name(self, site: Site) -> str:
        return str(site.account)

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Only a superuser has a site without a team."""
        if db_field.name != "team":
            return super().formfield_for_foreignkey(db_field, request, **kwargs)
        needs_one = not may(request.user, Act.ADMINISTER)
        kwargs |= {"queryset": destinations(cast("User", request.user)), "required": needs_one}
        field: Any = super().formfield_for_foreignkey(db_field, request, **kwargs)
        field.empty_label = "Choose a team" if needs_one else "No team"
        return field

    def get_fieldsets(self, request: HttpRequest, obj: Site | None = None) -> Any:
        """In sections; what another part adds to ``fields`` is with the site itself."""
        if obj is None:
            return super().get_fieldsets(request, obj)
        placed = {name for _, names in self.sections for name in names}
        others = tuple(name for name in self.fields if name not in placed)
        (title, first), *rest = self.sections
        first = tuple(self._account(request) if name == "account" else name for name in first)
        return [(title, {"fields": first + others}), *((each, {"fields": f}) for each, f in rest)]

    def has_delete_permission(self, request: HttpRequest, obj: Site | None = None) -> bool:
        """A draft may be deleted; what exists on AWS is destroyed."""
        is_draft = obj is None or (obj.state == Site.State.DRAFT and not obj.resources.exists())
        return is_draft and super().has_delete_permission(request, obj)

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        acts = (*self.site_actions, *self.drift_actions, *self.visitor_actions)
        actions = [
            path(
                f"<int:pk>/{action.slug}/",
                wrap(partial(self._act, action)),
                name=f"sites_site_{action.slug}",
            )
            for action in (*acts, *self.domain_actions)
        ]
        pages = (
            ("domains", self.domains_view),
            ("resources", self.resources_view),
            ("activity", self.activity_view),
            ("settings", self.settings_view),
            ("cost", self.cost_view),
        )
        panel = path("<int:pk>/panel/", self._panel, name="sites_site_panel")
        tabs = [
            path(f"<int:pk>/{name}/", wrap(page), name=f"sites_site_{name}") for name, page in pages
        ]
        return [panel, *tabs, *actions, *super().get_urls()]

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """The overview; the form has a page of its own."""
        site = self.site_to_see(request, unquote(object_id))
        if request.method == "POST":
            return self.settings_view(request, site.pk)
        return TemplateResponse(request, self.overview_template, self.overview(request, site))

    def overview(self, request: HttpRequest, site: Site) -> dict[str, Any]:
        panel = self.panel_context(request, site) | {"panel_template": self.panel_template}
        return self.page_context(request, site, "change") | panel

    def settings_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The form, and what cannot be undone."""
        site = self.site_to_see(request, pk)
        team = str(site.team_id or "")
        is_given = request.method == "POST" and request.POST.get("team", team) != team
        if is_given and (question := asked_again(request)):
            return question
        context = self.page_context(request, site, "settings")
        return self.changeform_view(request, str(pk), "", context | self.settings(request, site))

    def settings(self, request: HttpRequest, site: Site) -> dict[str, Any]:
        """What the page of the form shows beside it."""
        return {"danger_actions": self.offered(request, site, "settings")}

    def panel_context(self, request: HttpRequest, site: Any) -> dict[str, Any]:
        """What the overview shows, and refreshes while work is under way."""
        last = site.operations.defer("plan", "targets").first()
        running = last if last and last.status in Operation.ACTIVE else None
        waits = readable(running.waits) if running else []
        # After the operation: it may have put right what had drifted when the site was read.
        drifted = len(drift.of_site(site)) if site.has_drift else 0
        site.has_drift = drifted > 0
        return {
            **self.head_context(site),
            "head_template": self.head_template,
            "running": running,
            "waits": waits,
            "is_on_you": any(wait.todo for wait in waits),
            "explained": last if last and last.status in Operation.FAILED else None,
            "expiring": [Lifetime(row) for row in expiring().filter(site=site)],
            "drift_count": drifted,
            "pending": pending.of_site(site) if running is None else [],
            # Its operation may have ended since the site was read.
            "is_refreshed": running is not None or site.state in Site.CHANGING,
            "site_actions": self.offered(request, site, "change"),
            **visits_context(site),
        }

    def construct_change_message(
        self, request: HttpRequest, form: Any, formsets: Any, add: bool = False
    ) -> Any:
        """Django's own hook that knows what was changed; ``response_change`` is not told."""
        request.site_needs = what_aws_needs(form)  # type: ignore[attr-defined]
        return super().construct_change_message(request, form, formsets, add)

    def response_change(self, request: HttpRequest, obj: Site) -> HttpResponse:
        needs = "" if obj.state == Site.State.DRAFT else getattr(request, "site_needs", "")
        if needs:
            # A new domain has its head before the edge answers for it.
            site_provisioned.send(sender=Site, site=obj)
        message = format_html("{} is saved. {}", obj.name, needs)
        self.message_user(request, message, messages.SUCCESS)
        return redirect("admin:sites_site_settings", obj.pk)

    # --- Views --------------------------------------------------------------------------------

    def _sites(self) -> QuerySet[Site]:
        return Site.objects.select_related("account")

    def _act(self, action: SiteAction, request: HttpRequest, pk: int) -> HttpResponse:
        return action.view(request, get_object_or_404(self._sites(), pk=pk), self)

    def _panel(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The refreshed part alone; htmx is told to leave when there is nothing to refresh."""
        if not request.user.is_authenticated:
            return HttpResponse(headers={"HX-Refresh": "true"})
        site = self.get_object(request, str(pk))
        if site is not None:
            context = self.panel_context(request, site) | {"is_alone": True}
            return render(request, self.panel_template, context)
        self.message_user(request, _farewell(request))
        return HttpResponse(headers={"HX-Redirect": reverse("admin:sites_site_changelist")})


def _farewell(request: HttpRequest) -> str:
    """To whoever asked for its end, that this was it. To others not which of the two: whether a
    site of theirs is there is not told."""
    pk = request.GET.get("operation", "")
    ended = Operation.objects.filter(
        kind=Operation.Kind.DESTROY, site=None, creator=request.user.pk
    )
    row = ended.filter(pk=pk).first() if pk.isdecimal() and len(pk) < 19 else None
    if row is None:
        return "The site is gone, or it is not yours to see any more."
    return f"{row.site_name} is destroyed. What was done is under Operations."
