"""Who somebody is, by name and password; what they may is asked of roles."""

from __future__ import annotations

from allauth.account.auth_backends import AuthenticationBackend

from sites.people.backend import RoleBackend


class Backend(RoleBackend, AuthenticationBackend):  # type: ignore[misc]  # allauth has no types
    """Names that differ in their case alone are one: the database holds no two of them."""
