"""Ways through the login, for its tests."""

from __future__ import annotations

import time
from typing import Any

from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from django.test import Client

SETUP, PROVE = "/second-factor/totp/activate/", "/second-factor/reauthenticate/"
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


def code(secret: str = SECRET) -> str:
    return str(format_hotp_value(hotp_value(secret, int(time.time()) // 30)))


def log_in(client: Client, name: str = "ada", password: str = "secret", **more: str) -> Any:
    return client.post("/login/", {"login": name, "password": password, **more})


def where(client: Client, path: str) -> str:
    """Where it leads."""
    return str(client.get(path)["Location"])
