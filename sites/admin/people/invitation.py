"""The page behind an invitation's link: for somebody new, and for somebody who is here already."""

from __future__ import annotations

from typing import Any, cast

from allauth.account.internal.flows.login import perform_password_login
from allauth.account.models import Login
from django import forms
from django.contrib import messages
from django.contrib.auth.forms import UserCreationForm
from django.contrib.auth.models import User
from django.contrib.auth.validators import ASCIIUsernameValidator
from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from sites.errors import Refused
from sites.models import Invitation
from sites.people import invitations


class NewPersonForm(UserCreationForm):  # type: ignore[type-arg]
    """Letters that look like others are for nobody's name: it is what people are known by here."""

    username = forms.CharField(
        label="User name",
        min_length=2,
        max_length=60,
        validators=[ASCIIUsernameValidator()],
        widget=forms.TextInput(attrs={"autocomplete": "username", "autocapitalize": "none"}),
    )

    class Meta(UserCreationForm.Meta):
        model = User

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["password2"].label = "Password again"
        self.fields.pop("usable_password", None)


@never_cache
@require_http_methods(["GET", "POST"])
def invitation(request: HttpRequest, secret: str) -> HttpResponse:
    """Shows who invites to what; a POST accepts it."""
    try:
        row = invitations.find(secret)
        if request.user.is_authenticated:
            return _for_one_of_us(request, secret, row)
        return _for_somebody_new(request, secret, row)
    except Refused as refused:
        return _page(request, {"problem": str(refused)}, status=410)


def _for_one_of_us(request: HttpRequest, secret: str, row: Invitation) -> HttpResponse:
    if request.method == "POST":
        about = invitations.accept(secret, cast("User", request.user)).about
        messages.success(request, f"You are {row.get_role_display().lower()} of {about} now.")
        return redirect("admin:index")
    return _page(request, {"invitation": row, "about": row.about})


def _for_somebody_new(request: HttpRequest, secret: str, row: Invitation) -> HttpResponse:
    form = NewPersonForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        name, password = form.cleaned_data["username"], form.cleaned_data["password1"]
        try:
            with transaction.atomic():
                user = invitations.register(secret, name, password)
        except IntegrityError:
            form.add_error("username", "Somebody has taken this name just now; choose another.")
        else:
            said = f"Welcome, {name}. You are {row.get_role_display().lower()} of {row.about} now."
            messages.success(request, said)
            # Who has just chosen a password need not type it again.
            login = Login(user=user)
            return cast("HttpResponse", perform_password_login(request, {"username": name}, login))
    here = urlencode({"next": request.path})
    context = {
        "invitation": row,
        "about": row.about,
        "form": form,
        "login_url": f"{reverse('account_login')}?{here}",
    }
    return _page(request, context)


def _page(request: HttpRequest, context: dict[str, Any], status: int = 200) -> HttpResponse:
    response = TemplateResponse(request, "sites/invitation.html", context, status=status)
    # The address is the secret, which no other host is told. With "no-referrer" browsers would send
    # the form with "Origin: null", and the check against forged forms refuse it.
    response["Referrer-Policy"] = "same-origin"
    return response
