"""The question for a passkey."""

from __future__ import annotations

from typing import Any

from allauth.mfa.webauthn.views import ReauthenticateWebAuthnView
from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect


class ReauthenticateView(ReauthenticateWebAuthnView):  # type: ignore[misc]  # it brings no types
    def form_invalid(self, form: Any) -> HttpResponse:
        """The same question once more: allauth leads elsewhere, and forgets where to go on.

        Each question is asked of one page: of two that are open, the one that came last.
        """
        messages.error(self.request, "That passkey was not taken. Try it once more.")
        return HttpResponseRedirect(self.passthrough_next_url(self.request.path))
