"""Publish, roll back, lock, invalidate, previews, exchange: the API's side of it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from unittest import mock

import pytest
from django.utils import timezone

from deployments import oidc, previews, rollback, tasks
from deployments.models import Deployment, DeploySettings, Invalidation, Scope
from sites.errors import Refused
from tests.deployments.api.conftest import issued, token
from tests.factories import DeploymentFactory, ResourceFactory

pytestmark = pytest.mark.django_db

State = Deployment.State


@pytest.fixture
def served(site, monkeypatch):
    """Deployments 1 and 2, and what is called in place of the flip."""
    DeploymentFactory(site=site, number=1, served=True, state=State.INACTIVE)
    DeploymentFactory(site=site, number=2, current=True)
    act = mock.create_autospec(rollback.rollback)
    act.return_value = Deployment.objects.get(number=1)
    monkeypatch.setattr(rollback, "rollback", act)
    return act


@pytest.mark.parametrize(
    ("path", "body", "number"),
    [("deployments/1/publish", None, 1), ("rollback", {}, None), ("rollback", {"number": 1}, 1)],
)
def test_an_earlier_deployment_is_served_again(call, site, served, path, body, number):
    response = call("post", path, Scope.ROLLBACK, **({} if body is None else {"json": body}))
    assert (response.status_code, response.json()["number"]) == (200, 1)
    assert served.call_args.args[:2] == (site, number)


def test_what_takes_longer_is_handed_to_a_worker(
    call, site, served, monkeypatch, django_capture_on_commit_callbacks
):
    served.return_value = DeploymentFactory(site=site, number=3, state=State.QUEUED, phase="index")
    delay = mock.create_autospec(tasks.resume_deployment.delay)
    monkeypatch.setattr(tasks.resume_deployment, "delay", delay)
    with django_capture_on_commit_callbacks(execute=True):
        call("post", "rollback", Scope.ROLLBACK, json={})
    delay.assert_called_once_with(served.return_value.pk)


def test_a_refusal_is_a_conflict(call, site):
    response = call("post", "rollback", Scope.ROLLBACK, json={})
    assert response.status_code == 409
    assert "no earlier deployment" in response.json()["detail"]


@pytest.mark.parametrize(("try_again", "status"), [(True, 503), (False, 409)])
def test_what_does_not_answer_is_asked_again(call, site, served, try_again, status):
    served.side_effect = Refused("AWS cannot be reached.", try_again=try_again)
    response = call("post", "rollback", Scope.ROLLBACK, json={})
    assert response.status_code == status
    assert ("Retry-After" in response) == try_again


def test_a_mistake_of_ours_is_a_problem_without_details(client, site, served, caplog):
    served.side_effect = ZeroDivisionError("secret")
    client.raise_request_exception = False
    headers = {"Authorization": f"Bearer {token(site, Scope.ROLLBACK)}"}
    response = client.post(
        "/api/v1/sites/shop/rollback", {}, content_type="application/json", headers=headers
    )
    assert response.status_code == 500
    assert response["Content-Type"] == "application/problem+json"
    assert "secret" not in response.content.decode()


def test_a_site_is_locked_with_a_reason(call, site):
    body = {"reason": "Launch at noon", "hours": 2}
    lock = call("put", "lock", Scope.ROLLBACK, json=body).json()["lock"]
    assert lock["reason"] == "Launch at noon"
    assert "(CI)" in lock["owner"]
    assert lock["until"] > lock["since"]
    assert call("delete", "lock", Scope.ROLLBACK).json()["lock"] is None
    assert call("delete", "lock", Scope.ROLLBACK).status_code == 409


@pytest.mark.parametrize("body", [{}, {"reason": ""}, {"reason": "x", "hours": 0}])
def test_a_lock_without_a_reason_is_none(call, site, body):
    assert call("put", "lock", Scope.ROLLBACK, json=body).status_code == 422


def test_publishing_is_resumed(call, site):
    DeploySettings.objects.create(site=site, held_back="rolled back to #1")
    assert call("get", "", Scope.READ).json()["held_back"]
    assert call("delete", "hold", Scope.ROLLBACK).json()["held_back"] == ""


def test_a_certificate_that_is_not_renewed_is_told(call, site):
    expires = timezone.now() + timedelta(days=190)
    about = {"site": site, "inputs": {"domains": ["example.com"]}, "aws_status": "ISSUED"}
    row: Any = ResourceFactory(logical_id="certificate", expires_at=expires, **about)
    (told,) = call("get", "", Scope.READ).json()["certificates"]
    assert (told["domains"], told["status"], told["problem"]) == (["example.com"], "ISSUED", "")
    row.expires_at -= timedelta(days=180)
    row.save()
    (told,) = call("get", "", Scope.READ).json()["certificates"]
    assert "AWS has not renewed it yet" in told["problem"]


def test_paths_are_invalidated_by_a_worker(
    call, site, monkeypatch, django_capture_on_commit_callbacks
):
    delay = mock.create_autospec(tasks.send_invalidation.delay)
    monkeypatch.setattr(tasks.send_invalidation, "delay", delay)
    with django_capture_on_commit_callbacks(execute=True):
        made = call("post", "invalidations", Scope.DEPLOY, json={"paths": ["/data/*"]})
    assert made.status_code == 202, made.content
    row = Invalidation.objects.get()
    delay.assert_called_once_with(row.pk)
    assert call("get", f"invalidations/{row.pk}", Scope.READ).json()["paths"] == ["/data/*"]
    assert len(call("get", "invalidations", Scope.READ).json()) == 1
    assert call("get", f"invalidations/{row.pk + 1}", Scope.READ).status_code == 404


def test_losing_redis_loses_nothing(call, site, monkeypatch, django_capture_on_commit_callbacks):
    delay = mock.create_autospec(tasks.send_invalidation.delay, side_effect=ConnectionError)
    monkeypatch.setattr(tasks.send_invalidation, "delay", delay)
    with django_capture_on_commit_callbacks(execute=True):
        made = call("post", "invalidations", Scope.DEPLOY, json={"paths": ["/data/*"]})
    assert made.status_code == 202


def test_previews_are_listed_and_closed(call, site, monkeypatch):
    row = DeploymentFactory(
        site=site, number=4, environment="preview", is_previewed=True, label="login", ref="login"
    )
    (shown,) = call("get", "previews", Scope.READ).json()
    assert (shown["label"], shown["deployment"]) == ("login", 4)
    close = mock.create_autospec(previews.close)
    monkeypatch.setattr(previews, "close", close)
    assert call("delete", "previews/other", Scope.PREVIEW).status_code == 404
    assert call("delete", "previews/login", Scope.PREVIEW).status_code == 204
    close.assert_called_once_with(row.site, "login")


def test_an_identity_is_exchanged_without_a_token(call, site, monkeypatch):
    exchange = mock.create_autospec(
        oidc.exchange, side_effect=lambda *_: issued(site, Scope.DEPLOY)
    )
    monkeypatch.setattr(oidc, "exchange", exchange)
    answer = call("post", "/oidc/exchange", json={"site": "shop", "token": "a.b.c"})
    assert answer.status_code == 201, answer.content
    exchange.assert_called_once_with("shop", "a.b.c", "testserver")
    headers = {"Authorization": f"Bearer {answer.json()['token']}"}
    assert call("get", "/token", headers=headers).json()["scopes"] == ["deploy"]


def test_a_refused_identity_is_forbidden(call, site):
    answer = call("post", "/oidc/exchange", json={"site": "shop", "token": "a.b.c"})
    assert answer.status_code == 403
    assert "audience" in answer.json()["detail"]


def test_exchanges_are_limited_by_address(call, site):
    said = [call("post", "/oidc/exchange", json={"site": "x", "token": "x"}) for _ in range(61)]
    assert said[-1].status_code == 429
