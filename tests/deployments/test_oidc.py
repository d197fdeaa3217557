"""GitHub Actions' identity tokens: real signatures, real key sets, over HTTP."""

from __future__ import annotations

import itertools
import json
import threading
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from deployments import oidc, tokens
from deployments.models import Scope, TrustedRepository
from sites.models import Site
from tests.factories import SiteFactory

HOST = "cloudadmin.example.com"
ISSUER = "https://token.actions.githubusercontent.com"
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OTHER_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


class Keys(ThreadingHTTPServer):
    """Where an issuer publishes its keys."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        public = jwt.algorithms.RSAAlgorithm.to_jwk(KEY.public_key(), as_dict=True)
        self.body = json.dumps({"keys": [{**public, "kid": "one", "use": "sig"}]}).encode()
        self.asked = 0


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, Keys)
        self.server.asked += 1
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.server.body)))
        self.end_headers()
        self.wfile.write(self.server.body)

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def keys(settings) -> Iterator[Keys]:
    server = Keys()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    settings.CLOUDADMIN_OIDC_JWKS_URL = f"http://127.0.0.1:{server.server_port}/jwks"
    oidc._keys.cache_clear()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def site(db) -> Site:
    site = SiteFactory(name="shop")
    trust(site)
    return site


def trust(site: Site, **changes: Any) -> TrustedRepository:
    fields = {"repository": "Maker/Shop", "ref": "refs/heads/main", "scopes": [Scope.DEPLOY]}
    return TrustedRepository.objects.create(site=site, **(fields | changes))


def identity(key: Any = KEY, *, headers: dict | None = None, algorithm="RS256", **changes) -> str:
    """What GitHub gives a workflow. A claim that is None is left out."""
    now = datetime.now(UTC)
    claims = {
        "iss": ISSUER,
        "aud": f"https://{HOST}",
        "sub": "repo:maker/shop:ref:refs/heads/main",
        "repository": "maker/shop",
        "ref": "refs/heads/main",
        "jti": str(uuid.uuid4()),
        "iat": now,
        "nbf": now - timedelta(seconds=5),
        "exp": now + timedelta(minutes=5),
    } | changes
    claims = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode(claims, key, algorithm, headers or {"kid": "one"})


def test_a_trusted_workload_gets_a_token_of_the_site(site, keys):
    row, text = oidc.exchange("shop", identity(), HOST)
    assert tokens.verify(text).site == site
    assert row.scopes == [Scope.DEPLOY]
    assert row.issued_to == "repo:maker/shop:ref:refs/heads/main"
    oidc.exchange("shop", identity(), HOST)
    assert keys.asked == 1


def test_an_identity_is_good_for_once(site, keys):
    text = identity()
    oidc.exchange("shop", text, HOST)
    with pytest.raises(tokens.AlreadyExchanged):
        oidc.exchange("shop", text, HOST)


SOON, LONG_AGO = timedelta(minutes=5), timedelta(hours=2)


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "https://evil.example.com"},
        {"aud": "https://other.example.com"},
        {"aud": None},
        {"exp": -timedelta(minutes=2)},
        {"exp": None},
        {"iat": SOON},
        {"nbf": SOON},
        {"iat": -timedelta(days=3)},
        {"jti": None},
        {"jti": ""},
        {"jti": "j" * 300},
        {"sub": None},
        {"repository": None},
        {"repository": 7},
        {"repository": "maker/shop\0"},
        {"repository": "maker/shop-evil"},
        {"ref": "refs/heads/feature"},
        {"ref": "refs/heads/MAIN"},
    ],
    ids=itertools.count(),
)
def test_claims_that_do_not_fit_are_refused(site, keys, changes):
    now = datetime.now(UTC)  # and not when the tests were collected
    changes = {
        name: now + value if isinstance(value, timedelta) else value
        for name, value in changes.items()
    }
    with pytest.raises(oidc.IdentityRefused):
        oidc.exchange("shop", identity(**changes), HOST)


def test_clocks_may_differ_by_half_a_minute(site, keys):
    ahead = datetime.now(UTC) + timedelta(seconds=20)
    oidc.exchange("shop", identity(iat=ahead, nbf=ahead), HOST)


def test_signatures_of_others_and_of_none_are_refused(site, keys):
    public = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    whole = identity()
    forged = [
        identity(OTHER_KEY),
        identity("", algorithm="none"),
        identity(headers={"kid": "two"}),
        identity(KEY, algorithm="RS512"),
        # The public key, taken for a password.
        identity(public.hex(), algorithm="HS256"),
        whole[:-4] + "AAAA",
        whole.rpartition(".")[0] + ".",
        "a.b.c",
        "",
        "x" * 20_000,
    ]
    for text in forged:
        with pytest.raises(oidc.IdentityRefused):
            oidc.exchange("shop", text, HOST)


def test_nothing_is_told_of_sites_that_do_not_trust(site, keys):
    SiteFactory(name="other")
    said = set()
    for name in ("other", "nowhere"):
        with pytest.raises(oidc.IdentityRefused) as refused:
            oidc.exchange(name, identity(), HOST)
        said.add(str(refused.value).replace(name, "X"))
    assert len(said) == 1


def test_scopes_of_all_that_fit_are_given(site, keys):
    trust(site, ref="", environment="", scopes=[Scope.READ])
    trust(site, environment="production", scopes=[Scope.ROLLBACK])
    row, _ = oidc.exchange("shop", identity(), HOST)
    assert row.scopes == [Scope.DEPLOY, Scope.READ]
    row, _ = oidc.exchange("shop", identity(environment="production"), HOST)
    assert row.scopes == [Scope.DEPLOY, Scope.READ, Scope.ROLLBACK]


def test_the_audience_can_be_set(site, keys, settings):
    settings.CLOUDADMIN_OIDC_AUDIENCE = "our cloudadmin"
    oidc.exchange("shop", identity(aud="our cloudadmin"), HOST)
    with pytest.raises(oidc.IdentityRefused, match="our cloudadmin"):
        oidc.exchange("shop", identity(), HOST)


def test_keys_that_cannot_be_fetched_are_a_matter_of_time(site, settings):
    settings.CLOUDADMIN_OIDC_JWKS_URL = "http://127.0.0.1:9/jwks"
    oidc._keys.cache_clear()
    with pytest.raises(oidc.KeysUnavailable) as refused:
        oidc.exchange("shop", identity(), HOST)
    assert refused.value.try_again
