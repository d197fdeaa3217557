"""The second screen: what will be made, what it costs, and the one button."""

from __future__ import annotations

from unittest import mock

import pytest
from django.urls import reverse

from deployments.pushes.branches import raise_if_silent
from deployments.source import SourceRefused
from sites import prospects
from sites.models import Account, Membership, Operation, Role, Site, Team
from tests.deployments.wizard.conftest import CAA, PLAN, drafted, page, send
from tests.factories import AccountFactory, SiteFactory

pytestmark = pytest.mark.django_db


def test_the_plan_is_told_in_plain_words_with_its_price(client, person, plan):
    launch, url = drafted(client, domain="example.com")
    assert f"{url}?part=1" in page(client, url).replace('hx-get="', f'hx-get="{url}')
    shown = page(client, f"{url}?part=1")
    assert "Private storage" in shown
    assert "$13.98" in shown
    assert plan.call_args.args[0].uid == launch.uid
    assert plan.call_args.args[1] == ("example.com",)


def test_what_aws_would_refuse_is_not_begun(client, person, plan):
    _, url = drafted(client, domain="example.com")
    prospects.findings.return_value = (CAA,)  # type: ignore[attr-defined]
    shown = page(client, f"{url}?part=1")
    assert "Make the site without example.com now" in shown
    assert 'name="checksum"' not in shown


def test_a_repository_that_does_not_answer_is_told_before(client, person, plan, monkeypatch):
    asked = mock.create_autospec(raise_if_silent, side_effect=SourceRefused("gone"))
    monkeypatch.setattr("deployments.admin.wizard.plan.raise_if_silent", asked)
    _, url = drafted(client, source="git", git_url="https://example.com/a.git")
    assert "gone" in page(client, f"{url}?part=1")


def test_one_button_makes_it_once(
    client, person, plan, run_operation, django_capture_on_commit_callbacks
):
    launch, url = drafted(client, domain="example.com")
    page(client, f"{url}?part=1")
    with django_capture_on_commit_callbacks(execute=True):
        for _ in range(2):
            answer = client.post(url, {"checksum": PLAN.checksum, "style": "once"})
            assert answer.url == reverse("new-site-progress", args=[launch.pk])
    site, operation = Site.objects.get(), Operation.objects.get()
    assert (site.uid, site.name, site.team) == (launch.uid, "blog", Team.objects.get())
    assert [domain.name for domain in site.domains.all()] == ["example.com"]
    assert (operation.creator, operation.plan_checksum) == (person, PLAN.checksum)
    assert not operation.by_hand
    run_operation.assert_called_once_with("sites.run_operation", (operation.pk,))


def test_another_plan_than_the_shown_one_is_not_made(client, person, plan):
    launch, url = drafted(client)
    page(client, f"{url}?part=1")
    send(client, reverse("new-site-draft", args=[launch.pk]), source="sample", name="other")
    answer = client.post(url, {"checksum": PLAN.checksum}, follow=True)
    assert "Look at it anew" in answer.content.decode()
    assert not Site.objects.exists()


def test_a_name_that_was_taken_meanwhile_sends_back(client, person, plan):
    _, url = drafted(client)
    page(client, f"{url}?part=1")
    SiteFactory(name="blog", account=Account.objects.get())
    answer = client.post(url, {"checksum": PLAN.checksum}, follow=True)
    assert "There is a site “blog” already" in answer.content.decode()


def test_without_a_team_it_is_its_makers(admin_client, admin_user, plan, run_operation):
    AccountFactory()
    launch, url = drafted(admin_client)
    page(admin_client, f"{url}?part=1")
    admin_client.post(url, {"checksum": PLAN.checksum, "style": "steps"})
    membership = Membership.objects.get()
    assert (membership.user, membership.role) == (admin_user, Role.OWNER)
    assert membership.site == Site.objects.get()
    assert Operation.objects.get().by_hand
