"""Who a request is of."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from uuid import uuid4

from allauth.account.adapter import get_adapter
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse

from sites.audit.actor import Actor, acting

# Programs come here, people everywhere else.
API = ("/api/", "/hooks/")
NOBODY = "Nobody who is logged in"


class AuditMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        with acting(partial(actor_of, request, uuid4().hex[:12])):
            return self.get_response(request)


def actor_of(request: HttpRequest, id: str = "") -> Actor:
    """As it is known now: a login, or a token that is read, makes it another."""
    via = "api" if request.path.startswith(API) else "dashboard"
    user = getattr(request, "user", None)
    name = user.get_username() if user is not None and user.is_authenticated else NOBODY
    pk = user.pk if user is not None else None
    token = getattr(request, "auth", None)
    if token is not None:
        creator = token.creator
        name = f"{creator or token.issued_to or 'Somebody'} by the token “{token.name}”"
        pk = creator.pk if creator else None
    elif name == NOBODY and request.path.startswith("/hooks/"):
        name = "A webhook"
    return Actor(name[:300], via, pk, address_of(request), id)


def address_of(request: HttpRequest) -> str:
    """Behind so many proxies as the settings name, the one that the first of them saw."""
    try:
        found = get_adapter().get_client_ip(request)
    except PermissionDenied:  # they tell none
        found = request.META.get("REMOTE_ADDR") or ""
    return str(found)[:45]
