"""Tokens: who may have what done to a site without being a person at the dashboard.

A token is ``cad_`` and 43 characters from 32 random bytes. Only its SHA-256 is kept: with so many
bits there is nothing to guess, so no slow hash is needed, and the look-up by digest takes the same
time for every wrong token.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from deployments.models import DeployToken, Scope
from sites.errors import Refused
from sites.models import Site
from sites.people import Act, may

if TYPE_CHECKING:
    from django.contrib.auth.models import User

BEGINNING = "cad_"
PREFIX_LENGTH = 12
LONGEST = timedelta(days=366)
USE_NOTED_EVERY = timedelta(minutes=1)
EXCHANGED_FOR = timedelta(minutes=15)
# An exchange is remembered for longer than the token that was exchanged can be valid.
EXCHANGE_REMEMBERED = timedelta(days=2)
# What else a scope lets its holder do: who deploys sees how it ends.
IMPLIED: dict[str, frozenset[str]] = {
    Scope.READ: frozenset(),
    Scope.PREVIEW: frozenset({Scope.READ}),
    Scope.DEPLOY: frozenset({Scope.READ, Scope.PREVIEW}),
    Scope.ROLLBACK: frozenset({Scope.READ}),
}

ACTS: dict[str, Act] = {
    Scope.READ: Act.VIEW,
    Scope.PREVIEW: Act.DEPLOY,
    Scope.DEPLOY: Act.DEPLOY,
    Scope.ROLLBACK: Act.DEPLOY,
}


class TokenRefused(Exception):
    """The token is none of ours, or not any more. The message is for its holder."""


class AlreadyExchanged(Refused):
    """One proof of who somebody is gives one token."""


def issue(
    site: Site,
    name: str,
    scopes: Iterable[str],
    expires_at: datetime,
    creator: User | None = None,
) -> tuple[DeployToken, str]:
    """The row, and the token itself, which nobody can tell again. Raises Refused."""
    now = timezone.now()
    if not now < expires_at <= now + LONGEST:
        raise Refused(
            "A token is for a year at most, and for more than no time at all; "
            "choose a day in between."
        )
    text = _text(secrets.token_bytes(32))
    return _row(site, name, scopes, text, expires_at, creator=creator), text


def exchange(
    site: Site,
    name: str,
    scopes: Iterable[str],
    *,
    proof: str,
    issued_to: str,
    creator: User | None = None,
) -> tuple[DeployToken, str]:
    """A token for a quarter of an hour, for whoever brought ``proof``, once.

    ``creator`` trusts them, and it does no more than that person may.

    The token is derived from the proof's id, so the table's own uniqueness refuses the second
    exchange, whichever process it reaches. Raises AlreadyExchanged.
    """
    now = timezone.now()
    DeployToken.objects.exclude(issued_to="").filter(
        expires_at__lt=now - EXCHANGE_REMEMBERED
    ).delete()
    text = _text(hmac.digest(settings.SECRET_KEY.encode(), f"exchange:{proof}".encode(), "sha256"))
    try:
        with transaction.atomic():
            expires_at, to = now + EXCHANGED_FOR, issued_to[:300]
            row = _row(site, name, scopes, text, expires_at, creator=creator, issued_to=to)
    except IntegrityError as error:
        raise AlreadyExchanged(
            "This identity token was exchanged before; ask for a new one, each is good for once."
        ) from error
    return row, text


def verify(text: str) -> DeployToken:
    """The row of a token that is valid now, with its site. Raises TokenRefused."""
    if not text.startswith(BEGINNING):
        raise TokenRefused(f"A token begins with “{BEGINNING}”; this is something else.")
    token = (
        DeployToken.objects.select_related("site__account", "creator")
        .filter(digest=_digest(text))
        .first()
    )
    if token is None:
        raise TokenRefused("No such token; was it copied whole?")
    now = timezone.now()
    if token.revoked_at is not None:
        raise TokenRefused(f"The token “{token.name}” was revoked; use another one.")
    if token.expires_at <= now:
        raise TokenRefused(f"The token “{token.name}” has expired; use a new one.")
    if token.creator is not None and not may(token.creator, Act.VIEW, token.site):
        raise TokenRefused(
            f"Whoever made the token “{token.name}” has no role for {token.site} any more."
        )
    if token.last_used_at is None or token.last_used_at < now - USE_NOTED_EVERY:
        DeployToken.objects.filter(pk=token.pk).update(last_used_at=now)
    return token


def allows(token: DeployToken, scope: str) -> bool:
    """The one place that says what a token may do: nothing that its creator may not do now."""
    is_given = any(scope == given or scope in IMPLIED[given] for given in token.scopes)
    return is_given and (token.creator is None or may(token.creator, ACTS[scope], token.site))


def is_valid(token: DeployToken) -> bool:
    return token.revoked_at is None and token.expires_at > timezone.now()


def revoke(token: DeployToken) -> None:
    """From the next request on. Doing it twice changes nothing."""
    DeployToken.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=timezone.now())


def _row(
    site: Site,
    name: str,
    scopes: Iterable[str],
    text: str,
    expires_at: datetime,
    *,
    creator: User | None = None,
    issued_to: str = "",
) -> DeployToken:
    return DeployToken.objects.create(
        site=site,
        name=name[:100],
        scopes=sorted(set(scopes)),
        prefix=text[:PREFIX_LENGTH],
        digest=_digest(text),
        creator=creator,
        issued_to=issued_to,
        expires_at=expires_at,
    )


def _text(secret: bytes) -> str:
    return BEGINNING + base64.urlsafe_b64encode(secret).decode().rstrip("=")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()
