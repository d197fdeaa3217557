"""What no table tells: who came, who left, and who was not let in."""

from __future__ import annotations

from typing import Any

from allauth.account.internal.userkit import get_user_by_username
from allauth.account.signals import password_reset
from allauth.mfa.signals import authentication_failed, authenticator_used
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.dispatch import receiver

from sites.audit.actor import current
from sites.models import AuditEntry

Act = AuditEntry.Act
UNKNOWN = "with a name that nobody has here"


def note(act: str, label: str = "", **after: Any) -> AuditEntry:
    """An entry that no change of a row makes."""
    actor = current()
    return AuditEntry.objects.create(
        actor_id=actor.id,
        actor=actor.name[:300],
        via=actor.via,
        address=actor.address,
        request=actor.request,
        act=act,
        label=label.replace("\0", "")[:150],
        after=after or None,
    )


@receiver(user_logged_in, dispatch_uid="sites.audit.logged_in")
def on_login(user: Any, **_: Any) -> None:
    note(Act.LOGIN, user.get_username())


@receiver(user_logged_out, dispatch_uid="sites.audit.logged_out")
def on_logout(user: Any, **_: Any) -> None:
    if user is not None:
        note(Act.LOGOUT, user.get_username())


@receiver(user_login_failed, dispatch_uid="sites.audit.login_failed")
def on_failure(credentials: dict[str, Any], **_: Any) -> None:
    """What was typed is kept where somebody is called so: people type passwords there, too."""
    typed = str(credentials.get("username") or "").replace("\0", "")
    user = get_user_by_username(typed)
    note(Act.LOGIN_FAILED, user.get_username() if user else UNKNOWN)


@receiver(authenticator_used, dispatch_uid="sites.audit.factor_used")
def on_factor(user: Any, authenticator: Any, **_: Any) -> None:
    note(Act.CONFIRMED, user.get_username(), factor=str(authenticator.type))


@receiver(authentication_failed, dispatch_uid="sites.audit.factor_failed")
def on_factor_failure(user: Any, **_: Any) -> None:
    note(Act.FACTOR_FAILED, user.get_username())


@receiver(password_reset, dispatch_uid="sites.audit.password_reset")
def on_reset(user: Any, **_: Any) -> None:
    note(Act.CONFIRMED, user.get_username(), factor="password reset by e-mail")
