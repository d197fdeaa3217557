"""Where allauth asks what we want."""

from __future__ import annotations

from allauth.account.adapter import DefaultAccountAdapter
from allauth.core import context
from django.http import HttpRequest
from django.utils.http import url_has_allowed_host_and_scheme

from cloudadmin.login.again import was_proven_just_now


class Adapter(DefaultAccountAdapter):  # type: ignore[misc]  # it brings no types
    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """People are invited."""
        return False

    def is_reauthentication_required(self, *, app: str, **kwargs: object) -> bool:
        """A login counts as an answer: the first one leads straight to the second factor."""
        return not was_proven_just_now(context.request)

    def is_safe_url(self, url: str) -> bool:
        """This host alone: among ALLOWED_HOSTS may be some that others write the pages of."""
        request = context.request
        return url_has_allowed_host_and_scheme(
            url, {request.get_host()}, require_https=request.is_secure()
        )
