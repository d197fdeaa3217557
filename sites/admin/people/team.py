"""Teams: their list, and the page of each with its people and its sites."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.defaultfilters import pluralize
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.safestring import SafeString

from sites.admin.base import ago
from sites.admin.lists import ListAdmin
from sites.admin.people.forms import TeamForm
from sites.admin.people.pages import MemberPages, page_of, people_context
from sites.models import Membership, Role, Site, Team
from sites.people import Act, get_for, may, visible

SITES_SHOWN = 50


def _counted(rows: QuerySet[Any]) -> Subquery:
    of_team = rows.filter(team=OuterRef("pk")).order_by().values("team")
    return Subquery(of_team.annotate(count=Count("pk")).values("count"))


@admin.register(Team)
class TeamAdmin(ListAdmin[Team], MemberPages):
    site_path = ""
    form = TeamForm
    fields = ("name",)
    list_display = ("team", "people", "sites", "role", "since")
    default_order = "name"
    search_fields = ("name",)
    search_help_text = "Name"
    empty = "No team is here yet."
    empty_hint = "People and the sites that they look after together."

    def get_queryset(self, request: HttpRequest) -> QuerySet[Team]:
        rows = super().get_queryset(request)
        rows = rows.annotate(
            people_count=_counted(Membership.objects.all()), site_count=_counted(Site.objects.all())
        )
        for_row = Membership.objects.filter(team=OuterRef("pk"), user=request.user.pk)
        return rows.annotate(own_role=Subquery(for_row.values("role")[:1]))

    def get_urls(self) -> list[URLPattern]:
        invite = self.admin_site.admin_view(self.invite_view)
        here = path("<int:pk>/invite/", invite, name="sites_team_invite")
        rename = self.admin_site.admin_view(self.rename_view)
        renamed = path("<int:pk>/rename/", rename, name="sites_team_rename")
        return [here, renamed, *self.member_urls(), *super().get_urls()]

    # --- The list -----------------------------------------------------------------------------

    @admin.display(description="team", ordering="name")
    def team(self, row: Team) -> str:
        return row.name

    @admin.display(description="people")
    def people(self, row: Any) -> str:
        return f"{row.people_count or 0:,}"

    @admin.display(description="sites")
    def sites(self, row: Any) -> str:
        return f"{row.site_count or 0:,}"

    @admin.display(description="your role")
    def role(self, row: Any) -> str:
        return Role(row.own_role).label if row.own_role else ""

    @admin.display(description="since", ordering="pk")
    def since(self, row: Team) -> SafeString | str:
        return ago(row.created_at)

    # --- One team -----------------------------------------------------------------------------

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Its people and its sites; the name has a page of its own."""
        pk = unquote(object_id)
        team = get_for(request.user, Act.VIEW, Team.objects.all(), pk=pk if pk.isdecimal() else 0)
        if request.method == "POST":
            return self.rename_view(request, team.pk)
        sites = visible(request.user, Site.objects.filter(team=team).order_by("name"))
        context = {
            **self.admin_site.each_context(request),
            **people_context(request, team),
            "title": team.name,
            "opts": self.opts,
            "original": team,
            "sites": sites[:SITES_SHOWN],
            "site_count": sites.count(),
            "may_delete": may(request.user, Act.ADMINISTER),
        }
        return TemplateResponse(request, "sites/people.html", context)

    def rename_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        team = get_for(request.user, Act.OWN, Team.objects.all(), pk=pk)
        form = TeamForm(request.POST or None, instance=team)
        if request.method == "POST" and form.is_valid():
            form.save()
            self.log_change(request, team, f"Renamed to {team.name}.")
            self.message_user(request, f"The team is called {team.name} now.")
            return redirect(page_of(team))
        return self._confirm(request, Team.objects.get(pk=pk), title="Rename", form=form)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Its sites are not left without anybody."""
        deletable, counts, needed, protected = super().get_deleted_objects(objs, request)
        if protected:
            count = Site.objects.filter(team__in=objs).count()
            protected = [f"{count:,} site{pluralize(count)}: give them to another team first."]
        return deletable, counts, needed, protected

    def response_add(
        self, request: HttpRequest, obj: Team, post_url_continue: str | None = None
    ) -> HttpResponse:
        self.message_user(request, f"{obj.name} is there: invite its people, then give it sites.")
        return redirect(page_of(obj))
