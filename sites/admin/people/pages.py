"""Who has which role in a team or for a site; to invite, to change a role, to remove, to leave."""

from __future__ import annotations

from typing import Any, cast

from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.views.decorators.http import require_POST

from cloudadmin.login.again import asked_again
from sites.admin.base import ModelAdmin
from sites.admin.people import mail
from sites.admin.people.forms import MAY, InviteForm, RoleForm
from sites.admin.tabs import TabsMixin
from sites.errors import Refused
from sites.models import Invitation, Membership, Role, Site, Team
from sites.people import Act, get_for, invitations, may, membership, role_of

TEAM_SHOWN = 200


def page_of(about: Site | Team) -> str:
    name = "sites_team_change" if isinstance(about, Team) else "sites_site_people"
    return reverse(f"admin:{name}", args=[about.pk])


def people_context(request: HttpRequest, about: Site | Team) -> dict[str, Any]:
    """Members, those who have a role by the site's team, and what is open."""
    user = cast("User", request.user)
    is_owner = may(user, Act.OWN, about)
    rows = about.memberships.select_related("user").order_by("-role", "user__username")
    team = about.team if isinstance(about, Site) else None
    in_team = team.memberships.select_related("user") if team else Membership.objects.none()
    return {
        "about": about,
        "is_team": isinstance(about, Team),
        "team": team,
        "members": list(rows),
        "inherited": list(in_team.order_by("-role", "user__username")[:TEAM_SHOWN]),
        "is_owner": is_owner,
        "own_role": role_of(user, about),
        "invitations": list(invitations.open_ones(about)) if is_owner else [],
        "roles": [(role.label, MAY[role]) for role in Role],
        "invite_url": _invite_url(about),
    }


def _invite_url(about: Site | Team) -> str:
    kind = "team" if isinstance(about, Team) else "site"
    return reverse(f"admin:sites_{kind}_invite", args=[about.pk])


class PeoplePages(ModelAdmin[Any]):
    """Views that a team and a site share."""

    def invite_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        about: Any = get_for(request.user, Act.OWN, self.model._default_manager.all(), pk=pk)
        if question := asked_again(request):
            return question
        user = cast("User", request.user)
        form = InviteForm(
            request.POST or None, by=user, about=about, initial={"role": Role.VIEWER.value}
        )
        if request.method == "POST" and form.is_valid():
            try:
                data = form.cleaned_data
                row, secret = invitations.invite(user, about, data["email"], data["role"])
            except Refused as refused:
                form.add_error(None, str(refused))
            else:
                return self._invited(request, about, row, secret)
        return self._confirm(
            request,
            about,
            title="Invite",
            says=[f"A link is made that gives its holder a role of {about}, once, within a week."],
            form=form,
        )

    def _invited(
        self, request: HttpRequest, about: Site | Team, row: Invitation, secret: str
    ) -> HttpResponse:
        url = request.build_absolute_uri(reverse("invitation", args=[secret]))
        self.log_addition(request, row, f"Invited {row}")
        if mail.send(row, url):
            Invitation.objects.filter(pk=row.pk).update(is_mailed=True)
            self.message_user(request, f"The invitation is on its way to {row.email}.")
            return redirect(page_of(about))
        context = {
            **self.admin_site.each_context(request),
            "title": f"Invitation to {about}",
            "opts": self.opts,
            "original": about,
            "invitation": row,
            "url": url,
            "back": page_of(about),
        }
        response = TemplateResponse(request, "sites/invited.html", context)
        response["Cache-Control"] = "no-store"
        return response

    def _confirm(
        self, request: HttpRequest, about: Site | Team, *, title: str, **more: Any
    ) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "title": f"{title}: {about}",
            "opts": self.opts,
            "original": about,
            "about": about,
            "back": page_of(about),
            "action": {"title": title, "danger": more.pop("danger", False)},
            **more,
        }
        return TemplateResponse(request, "sites/confirm.html", context)


class MemberPages(PeoplePages):
    """One role, and one invitation; of sites too, which is why these are at the teams."""

    def member_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("member/<int:pk>/", wrap(self.role_view), name="sites_membership_change"),
            path("member/<int:pk>/remove/", wrap(self.remove_view), name="sites_membership_remove"),
            path(
                "invitation/<int:pk>/revoke/",
                wrap(require_POST(self.revoke_view)),
                name="sites_invitation_revoke",
            ),
        ]

    def role_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        row, about = self._member(request, pk)
        if not may(request.user, Act.OWN, about):
            raise PermissionDenied
        if question := asked_again(request):
            return question
        user = cast("User", request.user)
        form = RoleForm(request.POST or None, by=user, about=about, initial={"role": row.role})
        if request.method == "POST" and form.is_valid():
            role = form.cleaned_data["role"]
            try:
                membership.change_role(user, row, role)
            except Refused as refused:
                form.add_error(None, str(refused))
            else:
                self.log_change(request, row, f"{row.user} is {role.label.lower()} of {about}.")
                self.message_user(request, f"{row.user} is {role.label.lower()} of {about} now.")
                return redirect(page_of(about))
        return self._confirm(
            request,
            about,
            title="Change the role",
            says=[f"{row.user} is {row.get_role_display().lower()} of {about}."],
            form=form,
        )

    def remove_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """One's own is left, by anybody."""
        row, about = self._member(request, pk)
        is_own = row.user_id == request.user.pk
        if not is_own and not may(request.user, Act.OWN, about):
            raise PermissionDenied
        if question := asked_again(request):
            return question
        problem = ""
        if request.method == "POST":
            try:
                membership.remove(cast("User", request.user), row)
            except Refused as refused:
                problem = str(refused)
            else:
                said = f"{'You have' if is_own else f'{row.user} has'} no role in {about} any more."
                self.log_deletions(request, Membership.objects.filter(pk=pk))
                self.message_user(request, said)
                stays = may(request.user, Act.VIEW, about)
                return redirect(page_of(about) if stays else "admin:index")
        whose = "You" if is_own else str(row.user)
        return self._confirm(
            request,
            about,
            title="Leave" if is_own else "Remove",
            danger=True,
            problem=problem,
            says=[
                f"{whose} can no longer open {about}"
                + (", nor any of its sites." if isinstance(about, Team) else ".")
                + " Tokens made for its sites are refused from the next request on."
            ],
        )

    def revoke_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        row = get_object_or_404(Invitation.objects.select_related("team", "site"), pk=pk)
        about = row.about
        if not may(request.user, Act.VIEW, about):
            raise Http404
        if not may(request.user, Act.OWN, about):
            raise PermissionDenied
        invitations.revoke(row)
        self.log_change(request, row, f"Withdrew the invitation of {row.email}.")
        self.message_user(request, f"The invitation of {row.email} is withdrawn.")
        return redirect(page_of(about))

    def _member(self, request: HttpRequest, pk: int) -> tuple[Membership, Site | Team]:
        row = get_object_or_404(Membership.objects.select_related("user", "team", "site"), pk=pk)
        about = row.about
        if not may(request.user, Act.VIEW, about):
            raise Http404
        return row, about


class SitePeople(PeoplePages, TabsMixin):
    """The page of a site, for the admin of sites."""

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("<int:pk>/people/", wrap(self.people_view), name="sites_site_people"),
            path("<int:pk>/people/invite/", wrap(self.invite_view), name="sites_site_invite"),
            *super().get_urls(),
        ]

    def people_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        site = self.site_to_see(request, pk)
        context = self.page_context(request, site, "people") | people_context(request, site)
        return TemplateResponse(request, "sites/people.html", context)
