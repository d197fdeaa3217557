"""The first genuine webhook acts; an altered, unsigned, repeated or huge one does nothing."""

from __future__ import annotations

import json
from datetime import timedelta
from unittest import mock

import pytest
from django.test import RequestFactory
from django.urls import reverse
from django.utils import timezone

from deployments import pushes, webhooks
from deployments.models import Delivery, Deployment
from deployments.pushes.deliveries import REFUSALS_LOGGED
from deployments.pushes.payload import read
from tests.deployments.pushes.origin import pushed, signed
from tests.factories import DeploymentFactory, DomainFactory, RepositoryFactory, SiteFactory

pytestmark = pytest.mark.django_db

SHA = "c0ffee" + "0" * 34
Outcome = Delivery.Outcome


@pytest.fixture
def with_previews(site) -> None:
    name = "*.preview.example.com"
    DomainFactory(site=site, name=name)
    distribution = site.resources.get(logical_id="distribution")
    distribution.attributes["aliases"] = [name]
    distribution.save()


def last() -> tuple[str, str]:
    delivery = Delivery.objects.first()
    assert delivery
    return delivery.outcome, delivery.reason


# --- What acts ------------------------------------------------------------------------------------


def test_a_signed_push_to_the_production_branch_becomes_a_deployment(post, repository, enqueued):
    response = post(pushed(SHA), **{"X-GitHub-Delivery": "72d3162e", "X-GitHub-Event": "push"})
    assert response.status_code == 202
    deployment = Deployment.objects.get()
    assert (deployment.trigger, deployment.environment, deployment.phase) == (
        "push",
        "production",
        "source",
    )
    assert (deployment.ref, deployment.sha, deployment.author, deployment.description) == (
        "main",
        SHA,
        "Ada",
        "Spring",
    )
    assert enqueued == [("deployments.deploy_push", [deployment.pk])]
    delivery = Delivery.objects.get()
    assert (delivery.outcome, delivery.deployment) == (Outcome.ACCEPTED, deployment)
    assert (delivery.delivery_id, delivery.event) == ("72d3162e", "push")


@pytest.mark.usefixtures("with_previews")
def test_a_push_to_a_branch_of_the_patterns_becomes_a_preview(post):
    assert post(pushed(SHA, "refs/heads/feature/Login")).status_code == 202
    deployment = Deployment.objects.get()
    assert (deployment.environment, deployment.label) == ("preview", "feature-login")


@pytest.mark.usefixtures("with_previews")
def test_a_deleted_branch_takes_its_preview_with_it(post, site, world):
    shown = DeploymentFactory(
        site=site, number=1, environment="preview", ref="feature/x", label="feature-x"
    )
    Deployment.objects.filter(pk=shown.pk).update(is_previewed=True)
    coming = DeploymentFactory(
        site=site,
        number=2,
        environment="preview",
        ref="feature/x",
        label="feature-x",
        state="queued",
        phase="queue",
        release_number=None,
    )
    assert post(pushed("0" * 40, "refs/heads/feature/x")).status_code == 202
    shown.refresh_from_db()
    coming.refresh_from_db()
    assert (shown.is_previewed, coming.state) == (False, "inactive")
    assert "preview is closed" in last()[1]
    again = pushed("0" * 40, "refs/heads/feature/x", before="1" * 40)
    assert post(again).status_code == 200
    assert "has no preview" in last()[1]


# --- What does nothing ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (pushed(SHA, "refs/tags/v1"), "tags are not deployed"),
        (pushed(SHA, "refs/heads/docs"), "neither main nor"),
        (pushed("0" * 40), "was deleted; it has no preview"),
        (pushed(SHA, repository={"full_name": "mallory/shop"}), "It is of mallory/shop"),
        (b'{"zen": "Hi.", "repository": {"full_name": "Acme/Shop"}}', "the hook works"),
        (b'{"action": "opened", "repository": {"full_name": "acme/shop"}}', "Pushes alone"),
    ],
)
def test_what_the_rules_leave_out_is_ignored_with_the_reason(post, body, reason):
    assert post(body).status_code == 200
    outcome, said = last()
    assert (outcome, reason in said) == (Outcome.IGNORED, True), said
    assert not Deployment.objects.exists()


@pytest.mark.parametrize(
    "signature",
    [
        "",
        "sha256=",
        "sha256=" + "0" * 64,
        signed("another secret", pushed(SHA)),
        signed("between us", pushed(SHA) + b" "),
        "sha1=" + signed("between us", pushed(SHA))[7:],
        signed("between us", pushed(SHA)).upper(),
        "\u00e9",
    ],
)
def test_what_is_not_signed_does_nothing_and_is_logged(post, signature):
    response = post(pushed(SHA), **{"X-Hub-Signature-256": signature})
    assert response.status_code == 401
    assert not Deployment.objects.exists()
    assert last()[0] == Outcome.REFUSED


def test_a_signature_is_checked_once(post, monkeypatch):
    check = mock.create_autospec(pushes.receiving.is_signed, return_value=True)
    monkeypatch.setattr(pushes.receiving, "is_signed", check)
    assert post(pushed(SHA)).status_code == 202
    check.assert_called_once()


def test_an_altered_body_does_nothing(post):
    signature = signed("between us", pushed(SHA))
    altered = pushed("e" * 40)
    assert post(altered, **{"X-Hub-Signature-256": signature}).status_code == 401
    assert not Deployment.objects.exists()


def test_no_hook_and_no_signature_look_the_same(post):
    wrong = post(pushed(SHA), **{"X-Hub-Signature-256": "sha256=0"})
    nowhere = post(pushed(SHA), uid="6f1c1b0e-0000-4000-8000-000000000000")
    assert (wrong.status_code, wrong.content) == (nowhere.status_code, nowhere.content)
    assert set(Delivery.objects.values_list("repository", flat=True)) == {
        None,
        Delivery.objects.exclude(repository=None).get().repository_id,
    }


def test_the_same_content_counts_once_whatever_its_id(post):
    assert post(pushed(SHA), **{"X-GitHub-Delivery": "one"}).status_code == 202
    for headers in ({"X-GitHub-Delivery": "one"}, {"X-GitHub-Delivery": "two"}):
        assert post(pushed(SHA), **headers).status_code == 422
        assert last() == (
            Outcome.REFUSED,
            "The same content was accepted before; it counts once.",
        )
    assert Deployment.objects.count() == 1


def test_the_same_content_twice_at_once_counts_once(repository, monkeypatch):
    """Both have looked for an earlier one before either has written."""
    headers, body = {"X-Hub-Signature-256": signed("between us", pushed(SHA))}, pushed(SHA)

    def second_comes_first(body):
        monkeypatch.setattr(pushes.receiving, "read", read)
        assert pushes.receive(repository, headers, body).outcome == Outcome.ACCEPTED
        return read(body)

    monkeypatch.setattr(pushes.receiving, "read", second_comes_first)
    assert pushes.receive(repository, headers, body).outcome == Outcome.REFUSED
    assert Deployment.objects.count() == 1


def test_a_body_of_more_than_a_megabyte_is_not_read(post, repository):
    huge = pushed(SHA, pad="x" * webhooks.BODY_AT_MOST)
    assert post(huge).status_code == 413
    assert "larger than 1,000,000 bytes" in last()[1]
    # Without a length, as in chunked encoding, one byte too many is read.
    request = RequestFactory().post("/", huge, content_type="application/json")
    del request.META["CONTENT_LENGTH"]
    assert webhooks._body(request) is None
    assert not Deployment.objects.exists()


def test_a_site_that_cannot_be_deployed_to_says_so_and_can_be_asked_again(post):
    draft = RepositoryFactory(site=SiteFactory())
    for _ in range(2):
        assert post(pushed(SHA), uid=draft.uid).status_code == 422
        assert "not live yet" in last()[1]
    assert not Deployment.objects.exists()


def test_a_preview_without_a_domain_for_it_is_refused(post):
    assert post(pushed(SHA, "refs/heads/feature/x")).status_code == 422
    assert "no domain for previews" in last()[1]


def test_what_is_not_json_is_refused_with_what_to_set(post):
    assert post(b"payload=%7B%7D").status_code == 422
    assert "application/json" in last()[1]


def test_a_hook_answers_posts_alone(client, repository):
    url = reverse("github-hook", args=[repository.uid])
    assert client.get(url).status_code == 405
    assert not Delivery.objects.exists()


def test_a_hook_without_a_secret_takes_nothing(repository):
    repository.secret = ""
    headers = {"X-Hub-Signature-256": signed("", pushed(SHA))}
    with pytest.raises(pushes.Unsigned):
        pushes.receive(repository, headers, pushed(SHA))


def test_a_name_is_learned_from_the_greeting(post, repository):
    repository.full_name = ""
    repository.save()
    post(b'{"zen": "Hi.", "repository": {"full_name": "acme/site"}}')
    repository.refresh_from_db()
    assert repository.full_name == "acme/site"


# --- The log --------------------------------------------------------------------------------------


def test_strangers_cannot_fill_the_log(post, repository):
    for number in range(REFUSALS_LOGGED + 5):
        post(json.dumps(number).encode(), **{"X-Hub-Signature-256": ""})
    assert Delivery.objects.count() == REFUSALS_LOGGED
    assert post(pushed(SHA)).status_code == 202
    assert Delivery.objects.count() == REFUSALS_LOGGED + 1


def test_what_was_accepted_is_never_forgotten(post, repository):
    post(pushed(SHA))
    post(pushed(SHA, "refs/tags/v1"))
    assert pushes.expire() == 0
    Delivery.objects.update(created_at=timezone.now() - timedelta(days=31))
    assert pushes.expire() == 1
    assert post(pushed(SHA)).status_code == 422
