"""A passkey as a browser would have registered it."""

from __future__ import annotations

from typing import Any

from fido2.cose import ES256
from fido2.utils import websafe_encode
from fido2.webauthn import Aaguid, AttestationObject, AttestedCredentialData, AuthenticatorData

NAME = b"passkey"
CLIENT = b'{"type": "webauthn.create", "challenge": "", "origin": "https://example.com"}'


def credential() -> dict[str, Any]:
    """With a key that nobody has."""
    key = ES256({1: 2, 3: -7, -1: 1, -2: b"\1" * 32, -3: b"\2" * 32})
    attested = AttestedCredentialData.create(Aaguid(bytes(16)), NAME, key)
    flags = AuthenticatorData.FLAG.AT | AuthenticatorData.FLAG.UP
    made = AttestationObject.create(
        "none", AuthenticatorData.create(bytes(32), flags, 0, attested), {}
    )
    return {
        "id": websafe_encode(NAME),
        "rawId": websafe_encode(NAME),
        "type": "public-key",
        "response": {
            "clientDataJSON": websafe_encode(CLIENT),
            "attestationObject": websafe_encode(bytes(made)),
        },
    }
