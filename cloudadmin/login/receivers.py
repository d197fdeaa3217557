"""What follows from a login and from a change of somebody's second factors."""

from __future__ import annotations

from typing import Any

from allauth.account.authentication import AUTHENTICATION_METHODS_SESSION_KEY
from allauth.account.internal.flows.login import record_authentication
from allauth.account.signals import user_logged_in as let_in
from allauth.mfa.models import Authenticator
from allauth.mfa.signals import authenticator_added, authenticator_removed
from allauth.mfa.utils import is_mfa_enabled
from allauth.usersessions.internal.flows.sessions import end_other_sessions
from django.contrib.auth.models import User
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse

from cloudadmin.login import devices
from cloudadmin.login.again import FACTORS, records


@receiver(let_in)
def remember_device(response: HttpResponse, user: User, **kwargs: Any) -> None:
    devices.remember(response, user)


@receiver(authenticator_added)
def count_as_proof(
    request: HttpRequest, user: User, authenticator: Authenticator, **kwargs: Any
) -> None:
    """Who set it up has just shown that they have it; of the first, nobody elsewhere has."""
    if authenticator.type not in FACTORS or request.user.pk != user.pk:
        return
    record_authentication(
        request, user, "mfa", id=authenticator.pk, type=authenticator.type, reauthenticated=True
    )
    others = Authenticator.objects.filter(user=user, type__in=FACTORS).exclude(pk=authenticator.pk)
    if not others.exists():
        end_other_sessions(request, user)


@receiver(authenticator_removed)
def prove_anew(request: HttpRequest, user: User, **kwargs: Any) -> None:
    """Elsewhere somebody may be in by what is gone now; here it is no proof any more."""
    end_other_sessions(request, user)
    if not is_mfa_enabled(user, FACTORS):
        kept = [each for each in records(request) if each["method"] != "mfa"]
        request.session[AUTHENTICATION_METHODS_SESSION_KEY] = kept
