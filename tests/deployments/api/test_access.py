"""Who may do what: tokens, scopes, sites, and how often."""

from __future__ import annotations

import pytest

from deployments import tokens
from deployments.models import DeployToken, Scope
from tests.deployments.api.conftest import token
from tests.factories import DeploymentFactory, SiteFactory

pytestmark = pytest.mark.django_db

PROBLEM = "application/problem+json"
R, P, D, B = Scope.READ, Scope.PREVIEW, Scope.DEPLOY, Scope.ROLLBACK


def test_without_a_token_nothing_is_told(call):
    response = call("get", "")
    assert response.status_code == 401
    assert response["Content-Type"] == PROBLEM
    assert response["WWW-Authenticate"] == 'Bearer realm="cloudadmin"'
    assert "cad_" in response.json()["detail"]


@pytest.mark.parametrize("value", ["cad_nothing", "", "\x00", "a b c", "ü"])
def test_a_wrong_token_is_refused_with_the_reason(call, value):
    response = call("get", "", headers={"Authorization": f"Bearer {value}"})
    assert response.status_code == 401
    assert response["WWW-Authenticate"].startswith("Bearer realm=")


def test_other_sites_look_as_if_they_were_not_there(call):
    SiteFactory(name="other")
    said = set()
    for name in ("other", "nowhere"):
        response = call("get", f"/sites/{name}", *Scope)
        assert response.status_code == 404
        said.add(response.json()["detail"].replace(name, "X"))
    assert len(said) == 1


@pytest.mark.parametrize(
    ("method", "path", "enough"),
    [
        ("get", "", {R, P, D, B}),
        ("get", "deployments", {R, P, D, B}),
        ("get", "deployments/1", {R, P, D, B}),
        ("get", "deployments/1/log", {R, P, D, B}),
        ("get", "previews", {R, P, D, B}),
        ("get", "invalidations", {R, P, D, B}),
        ("post", "deployments", {D}),
        ("post", "deployments?environment=preview", {P, D}),
        ("post", "deployments/1/cancel", {D}),
        ("get", "deployments/1/uploads", {D}),
        ("post", "deployments/1/finalize", {D}),
        ("delete", "previews/main", {P, D}),
        ("post", "invalidations", {D}),
        ("post", "deployments/1/publish", {B}),
        ("post", "rollback", {B}),
        ("put", "lock", {B}),
        ("delete", "lock", {B}),
        ("delete", "hold", {B}),
    ],
)
def test_scopes(call, site, method, path, enough):
    DeploymentFactory(site=site, number=1)
    bodies = {"invalidations": {"paths": ["/x"]}, "rollback": {}, "lock": {"reason": "x"}}
    body = {"json": bodies[path]} if method in ("post", "put") and path in bodies else {}
    for scope in Scope:
        response = call(method, path, scope, **body)
        assert (response.status_code == 403) == (scope not in enough), (scope, response.content)
        if response.status_code == 403:
            assert response.json()["scope"]
            assert "insufficient_scope" in response["WWW-Authenticate"]


def test_a_token_tells_about_itself_and_can_give_itself_up(client, site):
    text = token(site, D)
    headers = {"Authorization": f"Bearer {text}"}
    assert client.get("/api/v1/token", headers=headers).json()["site"] == "shop"
    assert client.delete("/api/v1/token", headers=headers).status_code == 204
    assert client.get("/api/v1/token", headers=headers).status_code == 401
    with pytest.raises(tokens.TokenRefused, match="revoked"):
        tokens.verify(text)


def test_a_token_that_asks_too_often_waits(client, site, settings):
    settings.CLOUDADMIN_API_RATE = 3
    headers = {"Authorization": f"Bearer {token(site, R)}"}
    for _ in range(3):
        assert client.get("/api/v1/token", headers=headers).status_code == 200
    response = client.get("/api/v1/token", headers=headers)
    assert response.status_code == 429
    assert 1 <= int(response["Retry-After"]) <= 60
    other = {"Authorization": f"Bearer {token(site, R)}"}
    assert client.get("/api/v1/token", headers=other).status_code == 200
    assert DeployToken.objects.count() == 2


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("get", "/api/v1/nothing", 404),
        ("get", "/api/v1/sites/shop/", 404),
        ("post", "/api/", 404),
        ("patch", "/api/v1/token", 405),
        ("post", "/api/v1/sites/shop", 405),
    ],
)
def test_what_is_not_there_is_a_problem_too(client, method, path, status):
    response = getattr(client, method)(path)
    assert (response.status_code, response["Content-Type"]) == (status, PROBLEM)
    assert response.json()["status"] == status
    if status == 405:
        assert response["Allow"]


def test_pages_of_people_keep_their_pages(client):
    assert client.get("/nothing/").status_code == 302
    assert client.get("/api/v1/docs").status_code == 200
