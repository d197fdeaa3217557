"""Who somebody is, by name and password; what they may is asked of roles."""

from __future__ import annotations

from allauth.account.auth_backends import AuthenticationBackend
from allauth.account.internal.userkit import get_user_by_username
from django.contrib.auth.models import User

from sites.people.backend import RoleBackend


def user_named(name: str) -> User | None:
    """The one of exactly this name, else the only one whose name differs in its case alone."""
    found: User | None = User.objects.filter(username=name).first() or get_user_by_username(name)
    return found


class Backend(RoleBackend, AuthenticationBackend):  # type: ignore[misc]  # allauth has no types
    def _authenticate_by_username(self, username: str, password: str) -> User | None:
        """allauth lets in neither of “ada” and “Ada”: who makes the second locks out the first."""
        found: User | None = self._check_password(user_named(username), password)
        return found
