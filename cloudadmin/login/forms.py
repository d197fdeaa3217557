"""The questions for a code or a password, with guesses counted."""

from __future__ import annotations

from allauth.account.adapter import get_adapter
from allauth.account.forms import ChangePasswordForm as PasswordForm
from allauth.core import context
from allauth.mfa.base import forms

from cloudadmin.login.guesses import Guess, is_first_use


class CountedCode:
    def clean_code(self) -> str:
        guess = Guess.at(context.request, "code", self.user)  # type: ignore[attr-defined]
        if not guess.is_allowed():
            raise get_adapter().validation_error("too_many_login_attempts")
        code: str = super().clean_code()  # type: ignore[misc]
        if not is_first_use(self.user, code):  # type: ignore[attr-defined]
            raise get_adapter().validation_error("incorrect_code")
        guess.take_back()
        return code


class AuthenticateForm(CountedCode, forms.AuthenticateForm):  # type: ignore[misc]
    pass


class ReauthenticateForm(CountedCode, forms.ReauthenticateForm):  # type: ignore[misc]
    pass


class ChangePasswordForm(PasswordForm):  # type: ignore[misc]
    def clean_oldpassword(self) -> str:
        guess = Guess.at(context.request, "password", self.user)
        if not guess.is_allowed():
            raise get_adapter().validation_error("too_many_login_attempts")
        password: str = super().clean_oldpassword()
        guess.take_back()
        return password
