"""The permission function. What it does not grant is denied."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, TypeVar

from django.core.exceptions import PermissionDenied
from django.db.models import Model, Q, QuerySet
from django.http import Http404

from sites.models import Membership, Role, Site, Team

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser, User

    Person = User | AnonymousUser

Row = TypeVar("Row", bound=Model)
KEPT = "_roles"


class Act(Enum):
    """What is done; of a site or a team, except for the last two."""

    VIEW = "view"
    DEPLOY = "deploy"  # publish, roll back, cancel, invalidate, previews, lock
    OPERATE = "operate"  # provision, settings, drift, repositories, listeners, passwords, keeping
    OWN = "own"  # destroy, people, tokens, trusted repositories, whatever shows a credential
    CREATE = "create"  # a site, in some team
    ADMINISTER = "administer"  # the installation: accounts, users, orphans, audit log


LEAST = {
    Act.VIEW: Role.VIEWER,
    Act.DEPLOY: Role.DEPLOYER,
    Act.OPERATE: Role.OPERATOR,
    Act.OWN: Role.OWNER,
    Act.CREATE: Role.OPERATOR,
}


@dataclass(frozen=True)
class Roles:
    """A person's roles, by the pk of the team or the site."""

    of_teams: dict[int, int]
    of_sites: dict[int, int]


def may(user: Person, act: Act, site: Site | Team | None = None) -> bool:
    """Whether this person may do that; without a site, whether there is one it may be done to.

    So a page that shows rows of several sites asks without one and limits its rows to ``visible``.
    """
    if not user.is_active:
        return False
    if user.is_superuser:
        return True
    if act is Act.ADMINISTER:
        return False
    if site is not None:
        return (role_of(user, site) or 0) >= LEAST[act]
    roles = _roles(user)
    # A site is made in a team: a role for another site is no reason.
    counted = roles.of_teams if act is Act.CREATE else {**roles.of_teams, **_apart(roles)}
    return max(counted.values(), default=0) >= LEAST[act]


def role_of(user: Person, about: Site | Team) -> Role | None:
    """The highest of the roles that a person has there; a superuser is everybody's owner."""
    if not user.is_active:
        return None
    if user.is_superuser:
        return Role.OWNER
    roles = _roles(user)
    if isinstance(about, Team):
        found = roles.of_teams.get(about.pk, 0)
    else:
        in_team = roles.of_teams.get(about.team_id, 0) if about.team_id else 0
        found = max(in_team, roles.of_sites.get(about.pk, 0))
    return Role(found) if found else None


def visible(
    user: Person, rows: QuerySet[Row], act: Act = Act.VIEW, *, path: str = ""
) -> QuerySet[Row]:
    """Those of the sites that this person may do ``act`` to.

    Of rows about sites, ``path`` leads to the site, as in “deployment__site”; rows without a site
    are the installation's. Of teams, it is “team”.
    """
    if not user.is_active:
        return rows.none()
    if user.is_superuser:
        return rows
    if act is Act.ADMINISTER:
        return rows.none()
    roles, least = _roles(user), LEAST[act]
    teams = [pk for pk, role in roles.of_teams.items() if role >= least]
    if rows.model is Team or path.rpartition("__")[2] == "team":
        return rows.filter(**{f"{path or 'pk'}__in": teams})
    sites = [pk for pk, role in roles.of_sites.items() if role >= least]
    begin = f"{path}__" if path else ""
    found = Q()
    if teams:
        found |= Q(**{f"{begin}team__in": teams})
    if sites:
        found |= Q(**{f"{path or 'pk'}__in": sites})
    return rows.filter(found) if found else rows.none()


def get_for(user: Person, act: Act, rows: QuerySet[Row], *, path: str = "", **lookup: Any) -> Row:
    """The row that a page is about, with ``path`` as for ``visible``.

    Raises Http404 where the person may not even see it, PermissionDenied where no more than that.
    """
    found = visible(user, rows, path=path).filter(**lookup).first()
    if found is None:
        raise Http404("No such thing, or none of yours.")
    about: Any = found
    for name in filter(None, path.split("__")):
        about = getattr(about, name)
    # Of rows without a site, ``visible`` has shown none but to superusers.
    if not may(user, act, about):
        raise PermissionDenied
    return found


def forget(user: Any) -> None:
    """The roles of this object are read anew; after they were changed."""
    user.__dict__.pop(KEPT, None)


def _apart(roles: Roles) -> dict[int, int]:
    """Sites beside teams: their keys must not meet."""
    return {-pk: role for pk, role in roles.of_sites.items()}


def _roles(user: Any) -> Roles:
    """One query for each object of a user, that is for each request."""
    kept: Roles | None = user.__dict__.get(KEPT)
    if kept is None:
        rows = list(Membership.objects.filter(user=user).values_list("team", "site", "role"))
        kept = Roles(
            of_teams={team: role for team, _, role in rows if team},
            of_sites={site: role for _, site, role in rows if site},
        )
        user.__dict__[KEPT] = kept
    return kept
