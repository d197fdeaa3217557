"""The questions for a code or a password, with guesses counted."""

from __future__ import annotations

from typing import Any

from allauth.account.adapter import get_adapter
from allauth.account.authentication import AUTHENTICATION_METHODS_SESSION_KEY as METHODS
from allauth.account.forms import ChangePasswordForm as PasswordForm
from allauth.core import context
from allauth.mfa.base import forms
from allauth.mfa.totp.forms import ActivateTOTPForm
from allauth.mfa.totp.internal.auth import SECRET_SESSION_KEY
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError

from cloudadmin.login.guesses import Guess, is_first_use
from cloudadmin.login.templatetags.browsers import browser


class CountedCode:
    user: User

    def clean_code(self) -> str:
        guess = Guess.at(context.request, "code", self.user)
        if not guess.is_allowed():
            raise get_adapter().validation_error("too_many_login_attempts")
        try:
            code: str = super().clean_code()  # type: ignore[misc]
            if not is_first_use(self.user, code):
                raise get_adapter().validation_error("incorrect_code")
        except ValidationError:
            if guess.locks():
                self._tell()
            raise
        guess.take_back()
        return code

    def _tell(self) -> None:
        """Whoever is asked for a code has come past what is asked before it. The letter has no
        link: its host would be what the one who guesses says it is."""
        request = context.request
        methods = [each["method"] for each in request.session.get(METHODS, [])]
        told = {
            "is_in": request.user.is_authenticated,
            "by_password": "password" in methods,
            "browser": browser(request.headers.get("User-Agent", "")),
        }
        get_adapter().send_notification_mail("account/email/codes_guessed", self.user, told)


class AuthenticateForm(CountedCode, forms.AuthenticateForm):  # type: ignore[misc]
    pass


class ReauthenticateForm(CountedCode, forms.ReauthenticateForm):  # type: ignore[misc]
    pass


class ActivateForm(ActivateTOTPForm):  # type: ignore[misc]
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """allauth makes another key whenever the page is opened, as after a question in between;
        the one that was scanned would be good for nothing."""
        shown = context.request.session.get(SECRET_SESSION_KEY)
        super().__init__(*args, **kwargs)
        if shown:
            context.request.session[SECRET_SESSION_KEY] = self.secret = shown


class ChangePasswordForm(PasswordForm):  # type: ignore[misc]
    def clean_oldpassword(self) -> str:
        guess = Guess.at(context.request, "password", self.user)
        if not guess.is_allowed():
            raise get_adapter().validation_error("too_many_login_attempts")
        password: str = super().clean_oldpassword()
        guess.take_back()
        return password
