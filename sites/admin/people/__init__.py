"""Teams, who has which role, and invitations."""

from sites.admin.people.pages import SitePeople
from sites.admin.people.team import TeamAdmin

__all__ = ["SitePeople", "TeamAdmin"]
