"""Devices that have logged in before, by a cookie for each person who did.

https://owasp.org/www-community/Slow_Down_Online_Guessing_Attacks_with_Device_Cookies
"""

from __future__ import annotations

import secrets

from django.conf import settings
from django.contrib.auth.models import User
from django.core import signing
from django.http import HttpRequest, HttpResponse
from django.utils.crypto import salted_hmac

SALT = "cloudadmin.login.device"
AGE = 365 * 24 * 3600


def cookie_of(user: User) -> str:
    return f"device-{salted_hmac(SALT, str(user.pk)).hexdigest()[:12]}"


def known(request: HttpRequest, user: User) -> str | None:
    """What tells this device from others that this person has logged in on; None: it is unknown."""
    if request.user.is_authenticated and request.user.pk == user.pk:
        return f"session:{request.session.session_key}"
    try:
        pk, nonce = signing.loads(request.COOKIES.get(cookie_of(user), ""), salt=SALT, max_age=AGE)
    except (signing.BadSignature, ValueError):
        return None
    return f"device:{nonce}" if pk == user.pk else None


def remember(response: HttpResponse, user: User) -> None:
    """A new cookie with each login."""
    response.set_cookie(
        cookie_of(user),
        signing.dumps([user.pk, secrets.token_urlsafe(16)], salt=SALT),
        max_age=AGE,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )
