"""A session ends twelve hours after its person was last there, and two weeks after its login."""

from __future__ import annotations

import time
from collections.abc import Callable

from django.conf import settings
from django.contrib.auth import SESSION_KEY, logout
from django.http import HttpRequest, HttpResponse

from cloudadmin.login.leading import is_htmx

IDLE = 12 * 3600
NOTED = 600  # how exactly: each note is a write


class SessionAgeMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if settings.SESSION_COOKIE_NAME in request.COOKIES and SESSION_KEY in request.session:
            self._look_at(request)
        return self.get_response(request)

    def _look_at(self, request: HttpRequest) -> None:
        now = time.time()
        born = request.session.get("born", 0)
        seen = request.session.get("seen", 0)
        if now - born > settings.SESSION_COOKIE_AGE or now - seen > IDLE:
            logout(request)
        elif now - seen > NOTED and not is_htmx(request):  # a page left open asks by itself
            request.session["seen"] = now


def begin(request: HttpRequest, **kwargs: object) -> None:
    """With each login."""
    request.session["born"] = request.session["seen"] = time.time()
