"""On which AWS accounts somebody makes sites: each is somebody's bill, and a name of theirs.

Where there are several, a team goes on where it has a site already; the first one there is made by
a superuser, or brought along.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db.models import Exists, OuterRef, QuerySet

from sites.models import Account, Site, Team
from sites.people.rights import Act, visible

if TYPE_CHECKING:
    from django.contrib.auth.models import User


def accounts_for(user: User) -> QuerySet[Account]:
    """Those on which this person may make a site; where there is one alone, it is everybody's."""
    rows = Account.objects.order_by("pk")
    if user.is_superuser or len(rows[:2]) < 2:
        return rows
    teams = visible(user, Team.objects.all(), Act.CREATE).order_by().values("pk")
    return rows.filter(Exists(Site.objects.filter(account=OuterRef("pk"), team__in=teams)))
