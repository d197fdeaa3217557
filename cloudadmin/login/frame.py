"""The dashboard's frame around allauth's pages, which do not know of it."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from cloudadmin.login.second_factor import is_enough

OURS = ("account_", "mfa_", "usersessions_", "socialaccount_")


def frame(request: HttpRequest) -> dict[str, Any]:
    match = request.resolver_match
    if match is None or not (match.view_name or "").startswith(OURS):
        return {}
    return {
        **admin.site.each_context(request),
        "title": "Your login",
        "is_enough": is_enough(request),
    }
