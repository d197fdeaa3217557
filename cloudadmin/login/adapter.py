"""Where allauth asks what we want."""

from __future__ import annotations

import logging
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.internal.userkit import get_user_by_username
from allauth.core import context
from allauth.mfa.adapter import DefaultMFAAdapter
from django.conf import settings
from django.contrib.auth.models import User
from django.http import HttpRequest
from django.utils.http import url_has_allowed_host_and_scheme
from encrypted_fields.fields import EncryptedTextField

from cloudadmin.login.again import was_proven_just_now, ways
from cloudadmin.login.guesses import Guess
from cloudadmin.login.templatetags.browsers import browser

logger = logging.getLogger(__name__)


class Adapter(DefaultAccountAdapter):  # type: ignore[misc]  # it brings no types
    error_messages = {
        **DefaultAccountAdapter.error_messages,
        "username_password_mismatch": "That name and that password do not belong together.",
        "incorrect_code": "That code is not right. A code is good for half a minute: try the next.",
        "incorrect_password": "That is not your password.",
        "too_many_login_attempts": (
            "Too many wrong answers. Try again in 15 minutes. A passkey works now, and so does a "
            "device that you have logged in on before."
        ),
        "rate_limited": "That was asked too often. Try again in an hour.",
    }

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """People are invited."""
        return False

    def is_reauthentication_required(self, *, app: str, **kwargs: object) -> bool:
        """A login counts as an answer: the first one leads straight to the second factor."""
        return not was_proven_just_now(context.request)

    def get_reauthentication_methods(self, user: User) -> list[dict[str, str]]:
        return ways(context.request)

    def authenticate(self, request: HttpRequest, **credentials: Any) -> User | None:
        name = credentials.get("username", "")
        guess = Guess.at(request, "password", get_user_by_username(name) or name)
        if not guess.is_allowed():
            raise self.validation_error("too_many_login_attempts")
        user: User | None = super().authenticate(request, **credentials)
        if user:
            guess.take_back()
        return user

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """What was done is done, whether the letter about it goes out or not. It says which
        installation it is from by the settings: a request may be for any host."""
        if not settings.IS_MAIL_READY:
            return
        told = {"installation": settings.CLOUDADMIN_URL, **context}
        try:
            super().send_mail(template_prefix, email, told)
        except OSError:  # SMTPException is one
            logger.exception("A letter could not be sent: %s", template_prefix)

    def send_notification_mail(
        self,
        template_prefix: str,
        user: User,
        context: dict[str, Any] | None = None,
        email: str | None = None,
    ) -> None:
        told = {"username": user.get_username(), **(context or {})}
        super().send_notification_mail(template_prefix, user, told, email)

    def is_safe_url(self, url: str) -> bool:
        """This host alone: among ALLOWED_HOSTS may be some that others write the pages of."""
        request = context.request
        return url_has_allowed_host_and_scheme(
            url, {request.get_host()}, require_https=request.is_secure()
        )


class SecondFactorAdapter(DefaultMFAAdapter):  # type: ignore[misc]
    """Secrets of apps and codes are encrypted in the database, as all others are."""

    error_messages = {
        **DefaultMFAAdapter.error_messages,
        "incorrect_code": Adapter.error_messages["incorrect_code"],
    }

    def generate_authenticator_name(self, user: User, type: str) -> str:
        return browser(context.request.headers.get("User-Agent", ""))

    def encrypt(self, text: str) -> str:
        return str(EncryptedTextField().f.encrypt(text.encode()).decode())

    def decrypt(self, encrypted_text: str) -> str:
        return str(EncryptedTextField().f.decrypt(encrypted_text.encode()).decode())
