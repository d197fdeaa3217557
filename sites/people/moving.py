"""A site goes from one team to another.

Whoever owns the site takes it away, for that ends the roles of a whole team for it. The other team
gets it from whoever may make sites there: it is to that team as a new one is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db.models import QuerySet

from sites.models import Site, Team
from sites.people.rights import Act, may, visible

if TYPE_CHECKING:
    from django.contrib.auth.models import User


def destinations(user: User, site: Site | None = None) -> QuerySet[Team]:
    """The teams that this person may give the site to; without one, some site of theirs."""
    teams = Team.objects.all()
    return visible(user, teams, Act.CREATE) if may(user, Act.OWN, site) else teams.none()
