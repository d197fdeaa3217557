"""The page of a repository: set up at once, its secrets shown once, every webhook with a reason."""

from __future__ import annotations

import re

import pytest
from django.urls import reverse

from cloudadmin.celery import app
from deployments.models import Delivery, Deployment, Repository
from sites.models import Role
from tests.factories import RepositoryFactory, SiteFactory, member

pytestmark = pytest.mark.django_db

ADD = "admin:deployments_repository_add"


def page(row: Repository, action: str = "change") -> str:
    return reverse(f"admin:deployments_repository_{action}", args=[row.pk])


def form(**changes: object) -> dict[str, object]:
    return {
        "url": "https://github.com/acme/shop.git",
        "production_branch": "main",
        "patterns": "feature/*\r\n\r\n fix/* ",
        **changes,
    }


def test_a_repository_is_added_and_its_secret_shown_once(admin_client):
    site = SiteFactory()
    response = admin_client.post(reverse(ADD), form(site=site.pk, token="ghp_1"))
    row = Repository.objects.get()
    content = response.content.decode()
    assert re.fullmatch("[0-9a-f]{64}", row.secret)
    assert row.secret in content
    assert "no-store" in response["Cache-Control"]
    assert f"http://testserver/hooks/github/{row.uid}" in content
    assert (row.full_name, row.preview_branches) == ("acme/shop", ["feature/*", "fix/*"])
    assert row.status_token == "ghp_1"
    later = admin_client.get(page(row)).content.decode()
    assert row.secret not in later
    assert "ghp_1" not in later
    assert str(row.uid) in later


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("url", "file:///etc", "not taken"),
        ("url", "--upload-pack=x", "not taken"),
        ("url", "https://ada:secret@github.com/acme/shop.git", "password"),
        ("url", "https://github.com/acme/shop.git#main", "without a branch"),
        ("full_name", "shop", "owner/name"),
        ("production_branch", "--x", "cannot be the name"),
        ("patterns", "x" * 256, "255"),
    ],
)
def test_what_cannot_be_is_refused_at_its_field(admin_client, field, value, said):
    response = admin_client.post(reverse(ADD), form(site=SiteFactory().pk, **{field: value}))
    assert said in response.content.decode()
    assert not Repository.objects.exists()


def test_an_empty_token_keeps_the_one_there_is_and_it_can_be_forgotten(admin_client):
    row = RepositoryFactory(status_token="ghp_1")
    assert admin_client.post(page(row), form(production_branch="live")).status_code == 302
    row.refresh_from_db()
    assert (row.production_branch, row.status_token, row.secret) == ("live", "ghp_1", "between us")
    admin_client.post(page(row, "forget-token"))
    row.refresh_from_db()
    assert row.status_token == ""
    assert "action-forget-token" not in admin_client.get(page(row)).content.decode()


def test_a_new_secret_is_asked_for_by_post_and_shown_once(admin_client):
    row = RepositoryFactory()
    assert "refused from then on" in admin_client.get(page(row, "new-secret")).content.decode()
    row.refresh_from_db()
    assert row.secret == "between us"
    content = admin_client.post(page(row, "new-secret")).content.decode()
    row.refresh_from_db()
    assert row.secret != "between us"
    assert row.secret in content


def test_the_newest_commit_is_deployed_at_a_click(
    admin_client, admin_user, monkeypatch, django_capture_on_commit_callbacks
):
    sent = []
    monkeypatch.setattr(app, "send_task", lambda name, args=(), **_: sent.append((name, *args)))
    row = RepositoryFactory(site=SiteFactory(live=True, serving=True))
    with django_capture_on_commit_callbacks(execute=True):
        response = admin_client.post(page(row, "deploy-now"), follow=True)
    deployment = Deployment.objects.get()
    assert (deployment.ref, deployment.creator) == ("main", admin_user)
    assert sent == [("deployments.deploy_push", deployment.pk)]
    assert "has started" in response.content.decode()


def test_what_refuses_an_action_is_said_on_its_page(admin_client):
    content = admin_client.post(page(RepositoryFactory(), "deploy-now")).content.decode()
    assert "not live yet" in content
    assert not Deployment.objects.exists()


def test_webhooks_are_listed_with_their_reasons(admin_client, django_assert_num_queries):
    row = RepositoryFactory()
    assert "None came yet" in admin_client.get(page(row)).content.decode()
    for number in range(3):
        Delivery.objects.create(
            repository=row, outcome="ignored", reason=f"Tag v{number}.", event="push"
        )
    for url in (page(row), reverse("admin:deployments_delivery_changelist")):
        assert "Tag v2." in admin_client.get(url).content.decode()
    assert admin_client.get(reverse("admin:deployments_delivery_add")).status_code == 403


def test_the_workflow_file_is_there_to_copy(admin_client):
    row = RepositoryFactory()
    content = admin_client.get(page(row)).content.decode()
    assert "id-token: write" in content
    assert "&quot;$FOLDER&quot;" in content, "it is text, not markup"
    assert '"$FOLDER"' not in content
    assert "http://testserver" in content


def test_who_does_not_operate_the_site_acts_on_none(client):
    row = RepositoryFactory()
    for user in (member(Role.DEPLOYER, row.site), member(Role.OWNER, SiteFactory())):
        client.force_login(user)
        for action in ("change", "deploy-now", "new-secret"):
            assert client.post(page(row, action)).status_code in (403, 404)
    client.force_login(member(Role.DEPLOYER, row.site))
    assert client.get(reverse(ADD)).status_code == 403
    row.refresh_from_db()
    assert row.secret == "between us"


def test_the_list_of_repositories_says_when_a_webhook_came(admin_client):
    RepositoryFactory()
    content = admin_client.get(reverse("admin:deployments_repository_changelist")).content.decode()
    assert "none yet" in content
