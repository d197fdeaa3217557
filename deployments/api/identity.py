"""Who the caller is."""

from __future__ import annotations

from django.http import HttpRequest
from ninja import Router, Status

from deployments import oidc, tokens
from deployments.api.access import limit, token_of
from deployments.api.problems import refusals
from deployments.api.schemas import IdentityIn, IssuedOut, TokenOut
from deployments.models import DeployToken

EXCHANGES_A_MINUTE = 60

router = Router(tags=["tokens"])


@router.get("/token", response={200: TokenOut, **refusals()})
def get_token(request: HttpRequest) -> DeployToken:
    """The token that was sent: its site, its scopes, its end."""
    return token_of(request)


@router.delete("/token", response={204: None, **refusals()})
def revoke_token(request: HttpRequest) -> Status[None]:
    """Give the token that was sent up; it is worth nothing from then on."""
    tokens.revoke(token_of(request))
    return Status(204, None)


@router.post("/oidc/exchange", auth=None, response={201: IssuedOut, **refusals(409, 413, 415, 422)})
def exchange_identity(request: HttpRequest, body: IdentityIn) -> Status[dict[str, object]]:
    """Exchange GitHub Actions' identity token for a token of the site that trusts the repository.

    The token is good for fifteen minutes; each identity token is exchanged once. Ask GitHub for
    one whose audience is the address of this server, as in `https://cloudadmin.example.com`.
    """
    limit("exchange", request.META.get("REMOTE_ADDR", ""), EXCHANGES_A_MINUTE)
    row, text = oidc.exchange(body.site, body.token, request.get_host())
    return Status(
        201,
        {
            "name": row.name,
            "site.name": row.site.name,
            "scopes": row.scopes,
            "expires_at": row.expires_at,
            "token": text,
        },
    )
