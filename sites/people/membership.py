"""Changes to who has which role; what is refused is said in a sentence."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from django.contrib.auth import get_user_model
from django.db import transaction

from sites.errors import Refused
from sites.models import Membership, Role, Site, Team
from sites.people.rights import Act, forget, may, role_of

if TYPE_CHECKING:
    from django.contrib.auth.models import User


def change_role(by: User, membership: Membership, role: Role) -> None:
    """Raises Refused."""
    with transaction.atomic():
        row = _locked(by, membership)
        require_given(by, row.about, role)
        if row.role == Role.OWNER and role != Role.OWNER:
            _require_another_owner(row)
        row.role = role
        row.save(update_fields=["role"])
    forget(row.user)
    forget(by)


def remove(by: User, membership: Membership) -> None:
    """Somebody else's by an owner, one's own by anybody. Raises Refused."""
    with transaction.atomic():
        row = _locked(by, membership)
        if row.user_id != by.pk and not may(by, Act.OWN, row.about):
            raise Refused("Only an owner removes others.")
        if row.role == Role.OWNER:
            _require_another_owner(row)
        row.delete()
    forget(by)


def require_given(by: User, about: Site | Team, role: Role) -> None:
    """Raises Refused where this person may not give that role there."""
    own = role_of(by, about)
    if own is None or not may(by, Act.OWN, about):
        raise Refused(f"Only an owner of {about} gives roles.")
    if role > own:
        raise Refused(f"Nobody gives a role above their own, which is {own.label.lower()}.")


def is_last_owner(membership: Membership) -> bool:
    """Whether nobody else who is active owns it; a site's team owns it too."""
    if membership.role != Role.OWNER:
        return False
    owners = Membership.objects.filter(role=Role.OWNER, user__is_active=True)
    others = owners.exclude(pk=membership.pk)
    if membership.team_id:
        return not others.filter(team=membership.team_id).exists()
    team = membership.site.team_id if membership.site else None
    in_team = bool(team) and owners.filter(team=team).exists()
    return not (in_team or others.filter(site=membership.site_id).exists())


def last_owned(user: User) -> list[str]:
    """The names of the teams that would be without an owner if this user went.

    In a transaction, nobody's role in them changes until its end.
    """
    with transaction.atomic():
        owned = Team.objects.filter(memberships__user=user, memberships__role=Role.OWNER)
        list(Team.objects.select_for_update().filter(pk__in=owned.values("pk")).order_by("pk"))
        rows = Membership.objects.filter(user=user, role=Role.OWNER, team__isnull=False)
        return [str(row.team) for row in rows.select_related("team") if is_last_owner(row)]


def is_last_superuser(going: Iterable[User]) -> bool:
    """Whether nobody who is active would be one if these went.

    In a transaction, nobody else becomes none until its end.
    """
    with transaction.atomic():
        rows = get_user_model().objects.select_for_update(no_key=True).order_by("pk")
        stay = set(rows.filter(is_superuser=True, is_active=True)) - set(going)
        return not stay


def _locked(by: User, membership: Membership) -> Membership:
    """Two owners who remove each other at once do so one after the other: the second is asked for
    what the first has left them. Raises Refused."""
    about = membership.about
    type(about).objects.select_for_update().get(pk=about.pk)
    forget(by)
    row = Membership.objects.select_related("user", "team", "site").filter(pk=membership.pk).first()
    if row is None:
        raise Refused("That role is gone already.")
    return row


def _require_another_owner(row: Membership) -> None:
    if is_last_owner(row):
        raise Refused(f"{row.user} is the last owner of {row.about}: make somebody else first.")
