"""Invitations: a link that gives its holder a role, once, within a week."""

from __future__ import annotations

import hashlib
import secrets
from typing import TYPE_CHECKING

from allauth.account.models import EmailAddress
from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from sites.errors import Refused
from sites.models import Invitation, Membership, Role, Site, Team
from sites.people.membership import require_given
from sites.people.rights import Act, forget, may, role_of

if TYPE_CHECKING:
    from django.contrib.auth.models import User

# Of one team or site: whoever invites has others' servers send mail.
MOST_OPEN = 100
NOT_VALID = (
    "This invitation is not valid: it was used or withdrawn, or it is more than a week old. "
    "Ask whoever invited you for a new one."
)


def open_ones(about: Site | Team) -> QuerySet[Invitation]:
    rows = about.invitations.filter(accepted_at=None, revoked_at=None)
    return rows.filter(expires_at__gt=timezone.now()).select_related("invited_by", "team", "site")


def invite(by: User, about: Site | Team, email: str, role: Role) -> tuple[Invitation, str]:
    """The row, and the secret of its link, which nobody can tell again. Raises Refused.

    An earlier invitation of the same address is withdrawn by it.
    """
    require_given(by, about, role)
    if about.memberships.filter(user__email__iexact=email).exists():
        raise Refused(f"{email} has a role here; change it in the list.")
    with transaction.atomic():
        type(about).objects.select_for_update().get(pk=about.pk)
        rows = open_ones(about)
        about.invitations.filter(pk__in=rows.filter(email__iexact=email).values("pk")).update(
            revoked_at=timezone.now()
        )
        if rows.count() >= MOST_OPEN:
            raise Refused(f"{MOST_OPEN} invitations are open; withdraw some of them first.")
        secret = secrets.token_urlsafe(32)
        where = {"team": about} if isinstance(about, Team) else {"site": about}
        row = Invitation.objects.create(
            email=email, role=role, digest=_digest(secret), invited_by=by, **where
        )
    return row, secret


def revoke(invitation: Invitation) -> None:
    rows = Invitation.objects.filter(pk=invitation.pk, accepted_at=None, revoked_at=None)
    rows.update(revoked_at=timezone.now())


def find(secret: str, *, is_locked: bool = False) -> Invitation:
    """The invitation of a link, as long as whoever sent it may give that role. Raises Refused."""
    rows = Invitation.objects.select_related("team", "site", "invited_by")
    rows = rows.select_for_update(of=("self",)) if is_locked else rows
    row = rows.filter(digest=_digest(secret), accepted_at=None, revoked_at=None).first()
    if row is None or row.expires_at <= timezone.now():
        raise Refused(NOT_VALID)
    own = role_of(row.invited_by, row.about) or 0
    if not may(row.invited_by, Act.OWN, row.about) or row.role > own:
        raise Refused(NOT_VALID)
    return row


def accept(secret: str, user: User) -> Invitation:
    """The role for somebody who is here already; a higher one that they have stays."""
    with transaction.atomic():
        row = find(secret, is_locked=True)
        where = {"team": row.team} if row.team else {"site": row.site}
        found, is_new = Membership.objects.get_or_create(
            user=user, **where, defaults={"role": row.role}
        )
        if not is_new and found.role < row.role:
            found.role = row.role
            found.save(update_fields=["role"])
        row.accepted_at, row.accepted_by = timezone.now(), user
        row.save(update_fields=["accepted_at", "accepted_by"])
        if not user.is_staff:  # Django's word for who may open the dashboard
            user.is_staff = True
            user.save(update_fields=["is_staff"])
    forget(user)
    return row


def register(secret: str, name: str, password: str) -> User:
    """A new person with the role. Their address is proven when the link went there alone.

    Raises Refused; IntegrityError where the name was taken just now, whatever its case.
    """
    with transaction.atomic():
        row = find(secret, is_locked=True)
        user: User = get_user_model().objects.create_user(name, row.email, password)
        taken = EmailAddress.objects.filter(email__iexact=row.email, verified=True).exists()
        EmailAddress.objects.create(
            user=user, email=row.email.lower(), primary=True, verified=row.is_mailed and not taken
        )
        accept(secret, user)
    return user


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode(errors="replace")).hexdigest()
