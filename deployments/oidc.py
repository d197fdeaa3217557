"""GitHub Actions log in with who they are, so that no secret is stored at GitHub.

A workflow asks GitHub for a signed token (JWT) that says which repository, ref and environment it
runs for; we check the signature with GitHub's published keys and give a short-lived token of ours.
https://docs.github.com/en/actions/concepts/security/openid-connect
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import jwt
from django.conf import settings

from deployments import tokens
from deployments.models import DeployToken, TrustedRepository
from sites.errors import Refused
from sites.models import Site
from sites.people import Act, may

# Clocks differ; GitHub's tokens live for minutes.
LEEWAY_SECONDS = 30
LONGEST_SECONDS = 24 * 3600
KEYS_KEPT_SECONDS = 3600
REQUIRED = ["iss", "aud", "sub", "exp", "iat", "jti", "repository", "ref"]
MAX_TOKEN_CHARACTERS = 16_384
MAX_JTI_CHARACTERS = 255


class IdentityRefused(Exception):
    """The identity token does not prove what it has to. The message says what is missing."""


class KeysUnavailable(Refused):
    """GitHub's keys could not be fetched."""


@dataclass(frozen=True)
class Workload:
    """What runs, as GitHub vouches for it."""

    subject: str
    repository: str
    ref: str
    environment: str
    jti: str


def audiences(host: str) -> list[str]:
    """For whom an identity token may be made out, when it was brought to ``host``.

    Both schemes, because a proxy may have taken the TLS off.
    """
    configured = settings.CLOUDADMIN_OIDC_AUDIENCE
    return [configured] if configured else [f"https://{host}", f"http://{host}"]


def exchange(site_name: str, text: str, host: str) -> tuple[DeployToken, str]:
    """A token for a site whose trusted repositories have this workload.

    Raises IdentityRefused, tokens.AlreadyExchanged, KeysUnavailable.
    """
    workload = identify(text, audiences(host))
    site = Site.objects.filter(name=site_name).first() if site_name.isascii() else None
    trusting = trusts(site, workload) if site else []
    # Whether there is such a site is nobody's business but of those whom it trusts.
    if not site or not trusting:
        raise IdentityRefused(
            f"“{workload.repository}” at “{workload.ref}”"
            + (f" in the environment “{workload.environment}”" if workload.environment else "")
            + f" is not trusted by a site “{site_name}”. Trust it in the dashboard, on the page "
            "of the site's trusted repositories."
        )
    return tokens.exchange(
        site,
        f"{workload.repository} {workload.ref}",
        {scope for trust in trusting for scope in trust.scopes},
        proof=f"{settings.CLOUDADMIN_OIDC_ISSUER} {workload.jti}",
        issued_to=workload.subject,
        creator=trusting[0].creator,
    )


def trusts(site: Site, workload: Workload) -> list[TrustedRepository]:
    """Those of the one person whose trust goes furthest: a token does what its creator may.

    GitHub's names know no case; refs and environments do.
    """
    rows = TrustedRepository.objects.select_related("creator").filter(
        site=site, repository__iexact=workload.repository
    )
    found: dict[int | None, list[TrustedRepository]] = {}
    for trust in rows.order_by("pk"):
        is_meant = trust.ref in ("", workload.ref)
        is_there = trust.environment in ("", workload.environment)
        is_trusted = trust.creator is None or may(trust.creator, Act.OWN, site)
        if is_meant and is_there and is_trusted:
            found.setdefault(trust.creator_id, []).append(trust)
    return max(found.values(), key=_scopes, default=[])


def _scopes(trusting: list[TrustedRepository]) -> int:
    return len({scope for trust in trusting for scope in trust.scopes})


def identify(text: str, audience: list[str]) -> Workload:
    """Who brought this token: signed by the issuer's key, for us, and for now."""
    if len(text) > MAX_TOKEN_CHARACTERS:
        raise IdentityRefused("The identity token is longer than any of GitHub's.")
    try:
        key = _keys(settings.CLOUDADMIN_OIDC_JWKS_URL).get_signing_key_from_jwt(text)
        claims = jwt.decode(
            text,
            key,
            algorithms=["RS256"],  # never what the token itself proposes
            issuer=settings.CLOUDADMIN_OIDC_ISSUER,
            audience=audience,
            leeway=LEEWAY_SECONDS,
            options={"require": REQUIRED, "verify_jti": True, "verify_sub": True},
        )
    except jwt.PyJWKClientConnectionError as error:
        raise KeysUnavailable(
            f"The keys at {settings.CLOUDADMIN_OIDC_JWKS_URL} cannot be fetched; try again.",
            try_again=True,
        ) from error
    except (jwt.PyJWTError, ValueError, TypeError) as error:
        raise IdentityRefused(
            f"The identity token is refused: {error}. It has to be for the audience "
            f"“{audience[0]}” and from {settings.CLOUDADMIN_OIDC_ISSUER}."
        ) from error
    return _workload(claims)


def _workload(claims: dict[str, Any]) -> Workload:
    names = ("sub", "repository", "ref", "environment", "jti")
    values = [claims.get(name, "") for name in names]
    if not all(isinstance(value, str) and "\0" not in value for value in values):
        raise IdentityRefused("The identity token has a claim that is no text.")
    workload = Workload(*values)
    if not workload.jti or len(workload.jti) > MAX_JTI_CHARACTERS:
        raise IdentityRefused("The identity token has no usable id (jti).")
    if int(claims["exp"]) - int(claims["iat"]) > LONGEST_SECONDS:
        raise IdentityRefused("The identity token is valid for longer than a day.")
    return workload


@lru_cache(maxsize=4)
def _keys(url: str) -> jwt.PyJWKClient:
    """Asked for once an hour, and when an unknown key comes, at most every half minute."""
    return jwt.PyJWKClient(url, lifespan=KEYS_KEPT_SECONDS, timeout=5, cooldown_duration=30)
