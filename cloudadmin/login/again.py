"""Before what cannot be undone or shows a secret: is it still the same person at the keyboard?

Whoever has a second factor is asked for that, and for nothing else: a password may be stolen, or
filled in by a browser that was left open. Only who has none is asked for the password.
"""

from __future__ import annotations

import time
from typing import Any

from allauth.account import app_settings
from allauth.account.authentication import get_authentication_records
from allauth.mfa.models import Authenticator
from allauth.mfa.utils import is_mfa_enabled
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import logout
from django.contrib.auth.models import AnonymousUser, User
from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from cloudadmin.login.leading import lead_to

Type = Authenticator.Type
FACTORS = [Type.TOTP, Type.WEBAUTHN]


def asked_again(request: HttpRequest) -> HttpResponse | None:
    """None: the person has proven a moment ago who they are; else the way to the page that asks.

    That page leads back to where they were; a form that was sent is to be sent again.
    """
    return None if was_proven_just_now(request) else led_to_question(request)


def led_to_question(request: HttpRequest) -> HttpResponse:
    if found := ways(request):
        return lead_to(request, found[0]["url"])
    # Nothing here proves it: whoever vouches for them has to do so again.
    response = lead_to(request, reverse("account_login"))
    logout(request)
    messages.info(request, "Log in once more to go on: with your provider, if you have one.")
    return response


def ways(request: HttpRequest) -> list[dict[str, str]]:
    """To prove who one is: ``id``, ``description`` and ``url`` of each, the one to offer first."""
    user = request.user
    if not user.is_authenticated:
        return []
    types = {*Authenticator.objects.filter(user=user).values_list("type", flat=True)}
    found = []
    if Type.TOTP in types:
        found.append(_way("mfa_reauthenticate", "Use a code of your app"))
    if Type.WEBAUTHN in types:
        by_passkey = _way("mfa_reauthenticate_webauthn", "Use a passkey")
        used = [each.get("type") for each in records(request) if each["method"] == "mfa"]
        found.insert(0 if used[-1:] == [Type.WEBAUTHN] else len(found), by_passkey)
    if Type.RECOVERY_CODES in types and found and Type.TOTP not in types:
        found.append(_way("mfa_reauthenticate", "Use a recovery code"))
    if not found and user.has_usable_password() and not has_second_factor(user):
        found.append(_way("account_reauthenticate", "Use your password"))
    return found


def _way(page: str, description: str) -> dict[str, str]:
    return {"id": page, "description": description, "url": reverse(page)}


def was_proven_just_now(request: HttpRequest) -> bool:
    """By a login or by an answer to a later question, in the last five minutes."""
    begin = time.time() - float(app_settings.REAUTHENTICATION_TIMEOUT)
    recent = [each for each in records(request) if float(each["at"]) > begin]
    if any(is_second_factor(each) for each in recent):
        return True
    return bool(recent) and not has_second_factor(request.user)


def has_second_factor(user: User | AnonymousUser) -> bool:
    """One of ours; or of the provider's, where the settings trust it with that."""
    if is_mfa_enabled(user, FACTORS):
        return True
    return settings.CLOUDADMIN_LOGIN_OIDC_IS_ENOUGH and is_vouched_for(user)


def is_vouched_for(user: User | AnonymousUser) -> bool:
    """By a provider, whose application is there only where the settings name one."""
    accounts: Any = getattr(user, "socialaccount_set", None)
    return accounts is not None and bool(accounts.exists())


def is_second_factor(record: dict[str, Any]) -> bool:
    trusted = ("socialaccount",) if settings.CLOUDADMIN_LOGIN_OIDC_IS_ENOUGH else ()
    return record["method"] in ("mfa", *trusted)


def records(request: HttpRequest) -> list[dict[str, Any]]:
    """How the person of this session has proven who they are: ``method``, ``at`` and more."""
    if not request.user.is_authenticated:
        return []
    return list(get_authentication_records(request, request.user))
