"""The pages of sites, as far as this app knows them; ``deployments.admin`` adds its part."""

from __future__ import annotations

from functools import partial
from typing import Any, ClassVar

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html

from sites.admin.actions import Destroy, SiteAction, SyncVisits
from sites.admin.base import TabularInline
from sites.admin.drift import Accept, CheckDrift, Unaccept, drift_context
from sites.admin.people import SitePeople
from sites.admin.plan import Provision, Restore
from sites.admin.settings import DomainForm, DomainFormSet, SettingsForm, what_aws_needs
from sites.admin.site_list import SiteList
from sites.admin.visitors import VisitorsMixin, visits_context
from sites.admin.waits import readable
from sites.models import Domain, Operation, Site, Team
from sites.people import Act, may, visible
from sites.signals import site_provisioned

OPERATIONS_SHOWN = 5
FAILED = (Operation.Status.FAILURE, Operation.Status.NEEDS_ATTENTION)


class DomainInline(TabularInline[Domain, Site]):
    model = Domain
    form = DomainForm
    formset = DomainFormSet
    fields = ("name", "redirects")
    extra = 0
    hide_title = True
    verbose_name_plural = "Domains"


class SiteAdmin(SitePeople, SiteList, VisitorsMixin):
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
    inlines = (DomainInline,)
    change_form_template = "sites/site.html"
    panel_template = "sites/panel.html"
    site_actions: ClassVar[tuple[SiteAction, ...]] = (Provision(), SyncVisits(), Destroy())
    drift_actions: ClassVar[tuple[SiteAction, ...]] = (
        Restore(),
        Accept(),
        Unaccept(),
        CheckDrift(),
    )

    # --- One site -----------------------------------------------------------------------------

    def get_readonly_fields(self, request: HttpRequest, obj: Site | None = None) -> tuple[str, ...]:
        if obj is None:
            return ()
        return (
            ("name", "account") if may(request.user, Act.OWN, obj) else ("name", "account", "team")
        )

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """A team in which the person may make sites; only a superuser makes one without."""
        if db_field.name == "team":
            kwargs["queryset"] = visible(request.user, Team.objects.all(), Act.CREATE)
            kwargs["required"] = not may(request.user, Act.ADMINISTER)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def has_delete_permission(self, request: HttpRequest, obj: Site | None = None) -> bool:
        """A draft may be deleted; what exists on AWS is destroyed."""
        is_draft = obj is None or (obj.state == Site.State.DRAFT and not obj.resources.exists())
        return is_draft and super().has_delete_permission(request, obj)

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        actions = [
            path(
                f"<int:pk>/{action.slug}/",
                wrap(partial(self._act, action)),
                name=f"sites_site_{action.slug}",
            )
            for action in (*self.site_actions, *self.drift_actions, *self.visitor_actions)
        ]
        panel = path("<int:pk>/panel/", self._panel, name="sites_site_panel")
        return [panel, *actions, *super().get_urls()]

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        site = kwargs.get("obj")
        if site is not None:
            context |= self.panel_context(request, site)
            context["panel_template"] = self.panel_template
        context["show_save_and_add_another"] = False
        context["show_save_and_continue"] = False
        return super().render_change_form(request, context, *args, **kwargs)

    def panel_context(self, request: HttpRequest, site: Site) -> dict[str, Any]:
        """What the site's page shows above its form, and refreshes while work is under way."""
        resources = list(site.resources.all())
        ready = frozenset(row.logical_id for row in resources if row.is_ready)
        shown = list(
            site.operations.select_related("creator")
            .prefetch_related("events")
            .defer("plan", "targets")[:OPERATIONS_SHOWN]
        )
        running = next((row for row in shown if row.status in Operation.ACTIVE), None)
        waits = readable(running.waits) if running else []
        return {
            "site": site,
            "resources": resources,
            "operations": shown,
            "running": running,
            "waits": waits,
            "is_on_you": any(wait.todo for wait in waits),
            "explained": shown[0] if shown and shown[0].status in FAILED else None,
            "is_refreshed": running is not None,
            "may_act": may(request.user, Act.OPERATE, site),
            **drift_context(site, request.user),
            **visits_context(site),
            "site_actions": [
                action
                for action in self.site_actions
                if request.user.has_perm(action.permission, site) and action.is_offered(site, ready)
            ],
        }

    def construct_change_message(
        self, request: HttpRequest, form: Any, formsets: Any, add: bool = False
    ) -> Any:
        """Django's own hook that knows what was changed; ``response_change`` is not told."""
        request.site_needs = what_aws_needs(form, formsets)  # type: ignore[attr-defined]
        return super().construct_change_message(request, form, formsets, add)

    def response_change(self, request: HttpRequest, obj: Site) -> HttpResponse:
        needs = "" if obj.state == Site.State.DRAFT else getattr(request, "site_needs", "")
        if needs:
            # A new domain has its head before the edge answers for it.
            site_provisioned.send(sender=Site, site=obj)
        message = format_html("{} is saved. {}", obj.name, needs)
        self.message_user(request, message, messages.SUCCESS)
        return redirect("admin:sites_site_change", obj.pk)

    # --- Views --------------------------------------------------------------------------------

    def _sites(self) -> QuerySet[Site]:
        return Site.objects.select_related("account")

    def _act(self, action: SiteAction, request: HttpRequest, pk: int) -> HttpResponse:
        return action.view(request, get_object_or_404(self._sites(), pk=pk), self)

    def _panel(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The refreshed part alone; htmx is told to leave when there is nothing to refresh."""
        if not self.has_view_permission(request):
            return HttpResponse(headers={"HX-Refresh": "true"})
        site = self._sites().filter(pk=pk).first()
        if site is None:
            self.message_user(request, "The site is gone: everything of it was removed.")
            return HttpResponse(headers={"HX-Redirect": reverse("admin:sites_site_changelist")})
        return render(request, self.panel_template, self.panel_context(request, site))
