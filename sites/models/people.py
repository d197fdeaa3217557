"""Who may do what: teams, the roles that people have in them or for one site, and invitations."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import ClassVar, cast

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower
from django.utils import timezone

from sites.models.site import Site

INVITATION_LASTS = timedelta(days=7)


class Role(models.IntegerChoices):
    """Each may what the ones before it may; ``sites.people`` says what that is."""

    VIEWER = 1, "Viewer"
    DEPLOYER = 2, "Deployer"
    OPERATOR = 3, "Operator"
    OWNER = 4, "Owner"


class Team(models.Model):
    """People and the sites that they look after together."""

    name = models.CharField(max_length=80)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar = [Lower("name")]
        constraints: ClassVar = [
            models.UniqueConstraint(
                Lower("name"),
                name="one_team_per_name",
                violation_error_message="There is a team of this name; choose another.",
            )
        ]

    def __str__(self) -> str:
        return self.name


def _about_one(name: str) -> models.CheckConstraint:
    """Of either a team or a site."""
    return models.CheckConstraint(
        condition=Q(team__isnull=False, site__isnull=True)
        | Q(team__isnull=True, site__isnull=False),
        name=name,
    )


class Membership(models.Model):
    """A person's role in a team, which counts for all its sites, or for one site."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="memberships"
    )
    role = models.PositiveSmallIntegerField(choices=Role)
    team = models.ForeignKey(
        Team, on_delete=models.CASCADE, related_name="memberships", null=True, blank=True
    )
    site = models.ForeignKey(
        Site, on_delete=models.CASCADE, related_name="memberships", null=True, blank=True
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints: ClassVar = [
            _about_one("membership_of_a_team_or_a_site"),
            models.UniqueConstraint(
                fields=["user", "team"],
                condition=Q(team__isnull=False),
                name="one_membership_per_team",
            ),
            models.UniqueConstraint(
                fields=["user", "site"],
                condition=Q(site__isnull=False),
                name="one_membership_per_site",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user}: {self.get_role_display()} of {self.about}"

    @property
    def about(self) -> Team | Site:
        return self.team or cast("Site", self.site)


def _in_a_week() -> datetime:
    return timezone.now() + INVITATION_LASTS


class Invitation(models.Model):
    """A role for whoever has the link; ``digest`` is the SHA-256 of its secret."""

    email = models.EmailField("e-mail address")
    role = models.PositiveSmallIntegerField(choices=Role)
    team = models.ForeignKey(
        Team, on_delete=models.CASCADE, related_name="invitations", null=True, blank=True
    )
    site = models.ForeignKey(
        Site, on_delete=models.CASCADE, related_name="invitations", null=True, blank=True
    )
    digest = models.CharField(max_length=64, unique=True)
    is_mailed = models.BooleanField(
        default=False, help_text="The link went to the address alone: who has it reads its mail."
    )
    invited_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="invitations"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(default=_in_a_week)
    accepted_at = models.DateTimeField(null=True, blank=True)
    accepted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        related_name="accepted_invitations",
        null=True,
        blank=True,
    )
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar = ["-pk"]
        constraints: ClassVar = [_about_one("invitation_to_a_team_or_a_site")]

    def __str__(self) -> str:
        return f"{self.email}: {self.get_role_display()} of {self.about}"

    @property
    def about(self) -> Team | Site:
        return self.team or cast("Site", self.site)
