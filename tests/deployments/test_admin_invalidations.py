"""The pages of invalidations, as a person meets them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from unittest import mock

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from deployments import tasks
from deployments.invalidations.ledger import FREE
from deployments.manifest import Entry, Manifest
from deployments.models import Invalidation
from sites.models import Role, Site
from tests.factories import (
    AccountFactory,
    DeploymentFactory,
    InvalidationFactory,
    MembershipFactory,
    SiteFactory,
    member,
)

pytestmark = pytest.mark.django_db
Status = Invalidation.Status
LIST = "admin:deployments_invalidation_changelist"


@pytest.fixture
def site() -> Site:
    return SiteFactory(live=True, serving=True, name="shop")


@pytest.fixture
def delay(monkeypatch: pytest.MonkeyPatch) -> Any:
    delay = mock.create_autospec(tasks.send_invalidation.delay)
    monkeypatch.setattr(tasks.send_invalidation, "delay", delay)
    return delay


def page(site: Site) -> str:
    return reverse("admin:deployments_invalidation_site", args=[site.pk])


def text(response: Any) -> str:
    assert response.status_code == 200
    return " ".join(response.content.decode().split())


def completed(site: Site, count: int = 1, **fields: Any) -> None:
    sent = timezone.now()
    ended = {"status": Status.COMPLETED, "submitted_at": sent, "invalidation_id": "I1"}
    rows = [
        Invalidation(**{"site": site, "paths": ["/x"], "completed_at": sent, **ended, **fields})
        for _ in range(count)
    ]
    Invalidation.objects.bulk_create(rows)


# --- A plan, then the button ----------------------------------------------------------------------


def test_a_plan_is_shown_before_anything_is_sent(
    admin_client, admin_user, site, delay, django_capture_on_commit_callbacks
):
    entry = Entry("0" * 64, 1, "text/plain", "no-cache")
    manifest = Manifest(dict.fromkeys(["café.html", "cafe.html"], entry))
    DeploymentFactory(site=site, current=True, manifest=manifest.to_bytes())
    completed(site, paths=[f"/{n}" for n in range(FREE)])
    form = {"paths": "/café.html\r\n\r\n /feed.xml "}
    shown = text(admin_client.post(page(site), form | {"show": "1"}))
    assert "2 paths would be sent, for $0.01" in shown
    assert "takes 1 file that nobody asked for: /cafe.html" in shown
    assert "0 free paths" in shown
    assert 'name="send"' in shown

    with django_capture_on_commit_callbacks(execute=True):
        done = admin_client.post(page(site), form | {"planned": "/caf*\n/feed.xml", "send": "1"})
    assert done.url == page(site)
    row = Invalidation.objects.get(status=Status.QUEUED)
    assert (row.paths, row.creator) == (["/caf*", "/feed.xml"], admin_user)
    delay.assert_called_once_with(row.pk)


def test_nothing_is_sent_that_was_not_shown(admin_client, site):
    changed = {"paths": "/other", "planned": "/feed.xml", "send": "1"}
    shown = text(admin_client.post(page(site), changed))
    assert "The plan is another one now" in shown
    assert not Invalidation.objects.exists()


def test_losing_redis_loses_nothing(admin_client, site, delay, django_capture_on_commit_callbacks):
    delay.side_effect = ConnectionError
    with django_capture_on_commit_callbacks(execute=True):
        form = {"paths": "/a", "planned": "/a", "send": "1"}
        assert admin_client.post(page(site), form).status_code == 302
    assert Invalidation.objects.get().status == Status.QUEUED


@pytest.mark.parametrize(
    ("paths", "told"), [("", "required"), ("#news", "cache tag"), (" \n ", "required")]
)
def test_what_is_no_path_is_told_at_the_field(admin_client, site, paths, told):
    shown = text(admin_client.post(page(site), {"paths": paths, "send": "1"}))
    assert told in shown
    assert 'name="send"' not in shown


def test_a_site_that_serves_nothing_says_so(admin_client):
    site = SiteFactory()
    assert "not live yet" in text(admin_client.get(page(site)))
    assert "not live yet" in text(admin_client.post(page(site), {"paths": "/a"}))


# --- What is under way, and what was --------------------------------------------------------------


def test_waits_are_explained_and_refreshed(admin_client, site):
    InvalidationFactory(site=site, paths=["/a/*"], error_message="Waits for room: 15 of the 15.")
    sent = {"submitted_at": timezone.now(), "invalidation_id": "I1"}
    InvalidationFactory(site=site, paths=["/b"], status=Status.IN_PROGRESS, **sent)
    for address in (page(site), f"{page(site)}?part=1"):
        shown = text(admin_client.get(address))
        assert "Waits for room: 15 of the 15." in shown
        assert "every point of presence" in shown
        assert "95 of 100 are through within 25 seconds" in shown
        assert 'hx-trigger="every 2s"' in shown
    assert "<html" not in shown
    Invalidation.objects.update(status=Status.COMPLETED, completed_at=timezone.now())
    assert "every 2s" not in text(admin_client.get(page(site)))


def test_many_that_are_queued_are_not_all_shown(admin_client, site):
    for n in range(21):
        InvalidationFactory(site=site, paths=[f"/queued/{n}"])
    shown = text(admin_client.get(page(site)))
    assert "/queued/19" in shown
    assert "/queued/20" not in shown
    assert "more are queued" in shown


def test_the_history_tells_how_it_went(admin_client, admin_user, site):
    begin = timezone.now() - timedelta(hours=1)
    row = InvalidationFactory(
        site=site,
        paths=["/a", "/b", "/c", "/d"],
        status=Status.COMPLETED,
        creator=admin_user,
        submitted_at=begin,
        completed_at=begin + timedelta(seconds=18),
    )
    InvalidationFactory(site=site, paths=["/e"], status=Status.MERGED, merged_into=row)
    InvalidationFactory(site=site, status=Status.FAILURE, error_message="AccessDenied: No.")
    shown = text(admin_client.get(page(site)))
    for expected in ("18 s", "4 paths", "with 1 other", "Sent with another", "AccessDenied: No."):
        assert expected in shown
    listed = text(admin_client.get(reverse(LIST)))
    assert "Went out with" in listed
    assert "Took 18 s." in listed
    long = begin + timedelta(hours=2)
    Invalidation.objects.filter(pk=row.pk).update(completed_at=long)
    assert "2 hours" in text(admin_client.get(page(site)))


def test_an_empty_page_says_why_that_is_right(admin_client, site):
    assert "That is how it should be" in text(admin_client.get(page(site)))
    assert "no AWS account yet" not in text(admin_client.get(reverse(LIST)))


def test_ten_thousand_take_the_queries_of_one(
    admin_client, site, django_assert_max_num_queries, django_assert_num_queries
):
    completed(site)
    InvalidationFactory(site=site)
    for address in (page(site), reverse(LIST)):
        with django_assert_max_num_queries(19) as few:
            text(admin_client.get(address))
        completed(site, 5_000)
        with django_assert_num_queries(len(few)):
            shown = text(admin_client.get(address))
        assert len(shown) < 200_000
    assert "Page 3 of 401" in text(admin_client.get(f"{page(site)}?page=3"))


# --- The account's ledger -------------------------------------------------------------------------


def test_the_ledger_of_the_account_is_told(admin_client, site):
    completed(site, paths=["/a"] * 37)
    AccountFactory()
    for address in (page(site), reverse(LIST)):
        shown = text(admin_client.get(address))
        assert "37 of 1,000" in shown
        assert 'width="3.7"' in shown


def test_the_list_leads_to_the_pages_of_the_sites(admin_client, site):
    shown = text(admin_client.get(reverse(LIST)))
    assert '<option value="shop">' in shown
    opened = reverse("admin:deployments_invalidation_sites")
    assert admin_client.get(opened, {"site": "shop"}).url == page(site)
    assert admin_client.get(opened, {"site": "x"}).url == "/sites/site/?q=x"


def test_the_list_names_no_sites_nor_accounts_of_others(site):
    other = SiteFactory(name="theirs", account=AccountFactory(name="Not yours"), live=True)
    client = client_of(member(Role.DEPLOYER, site))
    shown = text(client.get(reverse(LIST)))
    assert '<option value="shop">' in shown
    assert "theirs" not in shown
    assert "Not yours" not in shown
    opened = reverse("admin:deployments_invalidation_sites")
    assert client.get(opened, {"site": other.name})["Location"] == "/sites/site/?q=theirs"


# --- Who may --------------------------------------------------------------------------------------


def client_of(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def test_who_may_look_may_not_invalidate(site):
    client = client_of(member(Role.VIEWER, site))
    shown = text(client.get(page(site)))
    assert "may look" in shown
    assert "<textarea" not in shown
    assert client.post(page(site), {"paths": "/a"}).status_code == 403


def test_a_deployer_may_invalidate(site):
    client = client_of(member(Role.DEPLOYER, site))
    assert "<textarea" in text(client.get(page(site)))


def test_who_may_not_look_sees_nothing(site):
    client = client_of(MembershipFactory().user)
    assert client.get(page(site)).status_code == 404
    assert client.get(f"{page(site)}?part=1").status_code == 404
