"""Who has no role is told so, and shown nothing else: an account alone is no way in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from sites.people import Act, may

DASHBOARD = ("admin:", "new-site")


class RolelessMiddleware:
    """One's own login and invitations are open all the same."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: object, args: object, kwargs: object
    ) -> HttpResponse | None:
        match: Any = request.resolver_match
        # In this order: who asks is looked up for the dashboard's pages alone.
        is_in = match.view_name.startswith(DASHBOARD) and request.user.is_authenticated
        if not is_in or may(request.user, Act.VIEW):
            return None
        return render(request, "login/no_role.html", status=403)
