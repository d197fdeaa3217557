"""Before what cannot be undone or shows a secret: is it still the same person at the keyboard?"""

from __future__ import annotations

import time
from typing import Any

from allauth.account import app_settings
from allauth.account.adapter import get_adapter
from allauth.account.authentication import get_authentication_records
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from cloudadmin.login.leading import lead_to


def asked_again(request: HttpRequest) -> HttpResponse | None:
    """None: the person has proven a moment ago who they are; else the way to the page that asks.

    That page leads back to where they were; a form that was sent is to be sent again.
    """
    if was_proven_just_now(request):
        return None
    methods = get_adapter().get_reauthentication_methods(request.user)
    if methods:
        return lead_to(request, methods[0]["url"])
    # Neither password nor second factor here: whoever vouches for them has to do so again.
    response = lead_to(request, reverse("account_login"))
    logout(request)
    return response


def was_proven_just_now(request: HttpRequest) -> bool:
    """By a login or by an answer to a later question, in the last five minutes."""
    latest = max((float(record["at"]) for record in records(request)), default=0.0)
    return time.time() - latest < float(app_settings.REAUTHENTICATION_TIMEOUT)


def records(request: HttpRequest) -> list[dict[str, Any]]:
    """How the person of this session has proven who they are: ``method``, ``at`` and more."""
    if not request.user.is_authenticated:
        return []
    return list(get_authentication_records(request, request.user))
