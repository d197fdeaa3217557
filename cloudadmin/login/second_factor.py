"""Who can destroy has a second factor, and their session was begun or confirmed with it.

Of pages that show a credential, or give away rights, each is asked for by somebody who has just
proven who they are. So are actions of a site that say so (``SiteAction.asks_again``).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from cloudadmin.login.again import (
    asked_again,
    has_second_factor,
    is_second_factor,
    led_to_question,
    records,
)
from cloudadmin.login.leading import lead_to
from sites.people import Act, may

# What needs no person: tokens and signatures open them, and no session.
MACHINES = ("api/", "hooks/", "visitors/")
LEAVING = {"account_logout"}
SETTING_UP = LEAVING | {"mfa_activate_totp", "mfa_add_webauthn", "account_reauthenticate"}
PROVING = LEAVING | {"mfa_reauthenticate", "mfa_reauthenticate_webauthn"}
ASKING = {
    "admin:auth_user_add",
    "admin:auth_user_change",
    "admin:auth_user_delete",
    "admin:auth_user_password_change",
    "admin:deployments_deploytoken_add",
    "admin:deployments_listener_new-secret",
    "admin:deployments_repository_new-secret",
    "admin:deployments_trustedrepository_add",
    "admin:deployments_trustedrepository_change",
    "admin:sites_account_orphans_delete",
    "admin:sites_team_delete",
    # allauth asks as well, but not those who log in by a provider alone.
    "mfa_activate_totp",
    "mfa_add_webauthn",
    "mfa_deactivate_totp",
    "mfa_download_recovery_codes",
    "mfa_edit_webauthn",
    "mfa_generate_recovery_codes",
    "mfa_remove_webauthn",
    "mfa_view_recovery_codes",
    "openid_connect_login",  # of somebody who is in: another login of the provider's is added
    "socialaccount_connections",
}
# It asks for the password itself, which is all that the others have.
ASKING_FOR_A_FACTOR = "account_change_password"


class SecondFactorMiddleware:
    """Leads to the page that sets one up, or asks for it; nothing else is answered before."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: object, args: object, kwargs: object
    ) -> HttpResponse | None:
        match: Any = request.resolver_match
        if match.route.startswith(MACHINES) or not request.user.is_authenticated:
            return None
        page = match.view_name
        if not is_enough(request) and (led := self._led(request, page)):
            return led
        asks = page == ASKING_FOR_A_FACTOR and has_second_factor(request.user)
        return asked_again(request) if asks or page in ASKING else None

    def _led(self, request: HttpRequest, page: str | None) -> HttpResponse | None:
        if has_second_factor(request.user):
            return None if page in PROVING else led_to_question(request)
        if page in SETTING_UP:
            return None
        return lead_to(request, reverse("mfa_activate_totp"))


def is_enough(request: HttpRequest) -> bool:
    """Whether the session is proven as well as what its person may do asks for."""
    user = request.user
    return not user.is_authenticated or is_proven(request) or not may(user, Act.OWN)


def is_proven(request: HttpRequest) -> bool:
    """With a second factor."""
    return any(is_second_factor(record) for record in records(request))
