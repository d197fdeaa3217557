"""The pages of sites: what they show, who may act, and that nothing acts on GET."""

from __future__ import annotations

from datetime import timedelta
from unittest import mock

import pytest
from django.urls import reverse
from django.utils import timezone

from cloudadmin.aws import ClientError
from sites import drift, farewell, tasks
from sites.models import Kind, Operation, Resource, Role, Site
from sites.provisioning.costs import HOSTED_ZONE
from sites.provisioning.drift import Drift
from sites.provisioning.retained import Retained
from tests.factories import (
    AccountFactory,
    DeploymentFactory,
    DomainFactory,
    OperationEventFactory,
    OperationFactory,
    ResourceFactory,
    SiteFactory,
    TeamFactory,
    UserFactory,
    VisitDayFactory,
    member,
)

pytestmark = pytest.mark.django_db
LIST = "/sites/site/"
OFFERED = ("provision", "destroy", "sync-visits", "deploy", "rollback", "invalidate")
ACTIONS = (*OFFERED, "restore", "accept", "unaccept", "check-drift")


SETTINGS = {
    "price_class": "PriceClass_100",
    "headers": "standard",
    "trailing_slash": "auto",
    "has_counter": "on",
    "domains-TOTAL_FORMS": "0",
    "domains-INITIAL_FORMS": "0",
}


def page(site: Site) -> str:
    return reverse("admin:sites_site_change", args=[site.pk])


def tab(site: Site, name: str) -> str:
    return reverse(f"admin:sites_site_{name}", args=[site.pk])


def action(site: Site, slug: str) -> str:
    return reverse(f"admin:sites_site_{slug}", args=[site.pk])


@pytest.fixture
def run_operation(monkeypatch):
    delay = mock.create_autospec(tasks.run_operation.delay)
    monkeypatch.setattr(tasks.run_operation, "delay", delay)
    return delay


# --- The list -------------------------------------------------------------------------------------


def test_list_without_sites(admin_client):
    assert admin_client.get(LIST).status_code == 200


def test_list_takes_the_same_queries_for_more_sites(
    admin_client, django_assert_max_num_queries, django_assert_num_queries
):
    account = AccountFactory()

    def fill(count: int) -> None:
        for _ in range(count):
            site = SiteFactory(account=account, live=True, serving=True)
            DomainFactory(site=site)
            DeploymentFactory(site=site, current=True)
            VisitDayFactory(site=site)

    fill(2)
    with django_assert_max_num_queries(16) as few:
        admin_client.get(LIST)
    fill(20)
    with django_assert_num_queries(len(few)):
        admin_client.get(LIST)


@pytest.mark.parametrize("words", ["corner-shop", "shop.example.com", "E1ABC"])
def test_search_finds_by_name_domain_and_aws_id(admin_client, words):
    wanted, other = SiteFactory(name="corner-shop"), SiteFactory(name="museum")
    DomainFactory(site=wanted, name="shop.example.com")
    ResourceFactory(site=wanted, logical_id="distribution", physical_id="E1ABC")
    ResourceFactory(site=other, logical_id="distribution", physical_id="E2XYZ")
    found = admin_client.get(LIST, {"q": words}).content.decode()
    assert page(wanted) in found
    assert page(other) not in found


def test_list_filters_by_state(admin_client):
    draft, live = SiteFactory(), SiteFactory(live=True)
    found = admin_client.get(LIST, {"state": "live"}).content.decode()
    assert page(live) in found
    assert page(draft) not in found


# --- One site -------------------------------------------------------------------------------------


def test_page_of_a_draft_offers_provision_and_its_deletion(admin_client):
    site = SiteFactory()
    content = admin_client.get(page(site)).content.decode()
    assert "action-provision" in content
    assert "A draft: nothing of it exists" in content
    assert "every 2s" not in content
    settings = admin_client.get(tab(site, "settings")).content.decode()
    assert "action-destroy" not in settings
    assert ">No team</option>" in settings
    assert reverse("admin:sites_site_delete", args=[site.pk]) in settings


def test_the_overview_says_what_is_going_on(admin_client):
    site = SiteFactory(live=True, serving=True)
    VisitDayFactory(site=site, pageviews=4321)
    OperationFactory(site=site, status="failure", error_message="Denied by AWS.")
    overview = admin_client.get(page(site)).content.decode()
    assert "Denied by AWS." in overview
    assert "4,321" in overview
    assert 'class="spark"' in overview
    now = timezone.now()
    OperationFactory(
        site=site,
        status=Operation.Status.IN_PROGRESS,
        waits=[
            {
                "what": "certificate",
                "why": "Validation takes minutes.",
                "since": now.isoformat(),
                "next_check": (now + timedelta(seconds=9)).isoformat(),
            }
        ],
    )
    overview = admin_client.get(page(site)).content.decode()
    for said in ("Validation takes minutes.", "Looks again", "every 2s"):
        assert said in overview


def test_an_overview_made_while_its_operation_ended_is_asked_for_again(admin_client):
    site = SiteFactory(state=Site.State.PROVISIONING)
    OperationFactory(site=site, status="success")
    assert "every 2s" in admin_client.get(page(site)).content.decode()


def test_what_was_put_right_while_the_overview_was_made_has_not_drifted(admin_client, monkeypatch):
    site = SiteFactory(live=True)
    drifted = ResourceFactory(site=site, drift=[Drift("a", "fake", "a", "size", 1, 7).as_json()])
    assert "badge-drift" in admin_client.get(page(site)).content.decode()
    of_site = drift.of_site

    def restored_by_then(asked):
        Resource.objects.filter(pk=drifted.pk).update(drift=[])
        return of_site(asked)

    monkeypatch.setattr(drift, "of_site", restored_by_then)
    assert "badge-drift" not in admin_client.get(page(site)).content.decode()


def test_page_takes_the_same_queries_for_more_rows(admin_client, django_assert_num_queries):
    site = SiteFactory(live=True, serving=True)

    def fill(numbers: range) -> int:
        for number in numbers:
            DeploymentFactory(site=site, number=number, served=True)
            done = OperationFactory(site=site, status="success", creator=UserFactory())
            OperationEventFactory(operation=done)
            ResourceFactory(site=site, logical_id=f"record_set.{number}")
            VisitDayFactory(site=site, kind=Kind.PATH, value=f"/{number}")
        return len(numbers)

    fill(range(1, 3))
    admin_client.get(page(site))
    with django_assert_num_queries(25, exact=False) as few:
        admin_client.get(page(site))
    fill(range(3, 12))
    with django_assert_num_queries(len(few)):
        admin_client.get(page(site))


def test_panel_refreshes_alone_and_leaves_when_the_site_is_gone(admin_client, client):
    site = SiteFactory()
    panel = reverse("admin:sites_site_panel", args=[site.pk])
    assert admin_client.get(panel).content.decode().startswith('<div id="site-panel"')
    assert client.get(panel).headers["HX-Refresh"] == "true"
    site.delete()
    assert admin_client.get(panel).headers["HX-Redirect"] == LIST


def test_who_asked_for_the_end_of_a_site_is_told_that_this_was_it(admin_client, admin_user, client):
    site = SiteFactory(name="shop", state="destroying")
    running = OperationFactory(site=site, kind="destroy", creator=admin_user)
    client.force_login(UserFactory(is_staff=True, is_superuser=True))
    panel = reverse("admin:sites_site_panel", args=[site.pk])
    shown = admin_client.get(panel).content.decode()
    assert f'hx-get="{panel}?operation={running.pk}"' in shown
    site.delete()
    for who, said in ((admin_client, "shop is destroyed"), (client, "The site is gone, or")):
        who.get(panel, {"operation": running.pk})
        assert said in who.get(LIST).content.decode()


def test_name_is_settled_after_creation(admin_client):
    site = SiteFactory(name="shop", live=True)
    form = {
        "name": "other",
        **SETTINGS,
        "price_class": "PriceClass_All",
    }
    admin_client.post(page(site), form)
    site.refresh_from_db()
    assert (site.name, site.price_class) == ("shop", "PriceClass_All")


def test_to_add_a_site_leads_to_its_three_screens(admin_client):
    assert admin_client.get(reverse("admin:sites_site_add")).url == reverse("new-site")


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({}, "is saved."),
        ({"trailing_slash": "never"}, "at the edge alone"),
        ({"headers": "strict"}, "See the plan"),
        ({"injects_snippet": "on"}, "next deploy"),
    ],
)
def test_what_aws_needs_is_said_after_a_change(admin_client, changed, said):
    site = SiteFactory(live=True)
    response = admin_client.post(tab(site, "settings"), SETTINGS | changed, follow=True)
    messages = response.content.decode().partition("is saved.")
    assert said in messages[1] + messages[2][:400]


def test_a_sites_team_is_nothing_to_aws(admin_client):
    site, team = SiteFactory(live=True), TeamFactory()
    changed = SETTINGS | {"team": team.pk}
    response = admin_client.post(tab(site, "settings"), changed, follow=True)
    assert "is saved." in response.content.decode()
    assert "See the plan" not in response.content.decode()


def test_only_drafts_can_be_deleted(admin_client):
    draft, live = SiteFactory(), SiteFactory(live=True)
    for site in (draft, live):
        admin_client.post(reverse("admin:sites_site_delete", args=[site.pk]), {"post": "yes"})
    assert list(Site.objects.all()) == [live]


# --- Actions --------------------------------------------------------------------------------------


@pytest.mark.parametrize("slug", ACTIONS)
def test_get_shows_a_confirm_page_and_does_nothing(admin_client, run_operation, slug):
    site = SiteFactory(live=True, serving=True)
    response = admin_client.get(action(site, slug), follow=True)
    assert response.status_code == 200
    content = response.content.decode()
    assert 'method="post"' in content or 'hx-trigger="load"' in content
    assert not Operation.objects.exists()
    run_operation.assert_not_called()


@pytest.mark.parametrize("slug", ACTIONS)
def test_post_without_permission_is_forbidden(client, slug):
    site = SiteFactory(live=True, serving=True)
    client.force_login(member(Role.VIEWER, site))
    assert client.post(action(site, slug), {"name": site.name}).status_code == 403
    assert f"action-{slug}" not in client.get(page(site)).content.decode()


def test_changing_does_not_imply_destroying(client):
    site = SiteFactory(live=True)
    client.force_login(member(Role.OPERATOR, site))
    assert client.post(action(site, "destroy"), {"name": site.name}).status_code == 403


def test_destroy_needs_the_name(admin_client, run_operation, django_capture_on_commit_callbacks):
    site = SiteFactory(name="shop", live=True, serving=True)
    for name in ("", "sho", "SHOP"):
        response = admin_client.post(action(site, "destroy"), {"name": name})
        assert response.status_code == 200
        assert not Operation.objects.exists()
    with django_capture_on_commit_callbacks(execute=True):
        admin_client.post(action(site, "destroy"), {"name": "shop"})
    assert Operation.objects.get().kind == Operation.Kind.DESTROY
    run_operation.assert_called_once()


def test_a_link_does_not_type_the_name(admin_client):
    site = SiteFactory(name="shop", live=True, serving=True)
    response = admin_client.get(action(site, "destroy"), {"name": "shop"})
    assert not response.context["form"]["name"].value()


def test_destroy_says_what_stays_and_what_it_costs(admin_client, monkeypatch):
    stays = Retained("hosted zone example.com", "It is your own.", "delete it.", HOSTED_ZONE)
    retained = mock.create_autospec(farewell.retained, return_value=[stays])
    monkeypatch.setattr(farewell, "retained", retained)
    url = action(SiteFactory(live=True, serving=True), "destroy")
    assert "AWS is asked what stays" in admin_client.get(url).content.decode()
    retained.assert_not_called()
    content = admin_client.get(url, {"part": 1}).content.decode()
    assert "hosted zone example.com" in content
    assert "$0.50 a month" in content
    retained.side_effect = ClientError({"Error": {"Code": "AccessDenied"}}, "GetHostedZone")
    assert "AccessDenied" in admin_client.get(url, {"part": 1}).content.decode()


def test_visits_are_pulled_by_a_worker(
    admin_client, monkeypatch, django_capture_on_commit_callbacks
):
    """Those of its account, which are in one database, and of no other."""
    delay = mock.create_autospec(tasks.sync_visits_of_account.delay)
    monkeypatch.setattr(tasks.sync_visits_of_account, "delay", delay)
    site, _ = SiteFactory(live=True), SiteFactory(live=True)
    with django_capture_on_commit_callbacks(execute=True):
        admin_client.post(action(site, "sync-visits"))
    delay.assert_called_once_with(site.account_id)


# --- Operations ----------------------------------------------------------------------------------


def test_operations_are_history(admin_client):
    row = OperationFactory(
        status="needs_attention",
        error_message="Denied by AWS.",
        plan={
            "summary": "Plan: 1 to add, 0 to change, 0 to destroy.",
            "changes": [
                {
                    "action": "update",
                    "logical_id": "bucket",
                    "type": "bucket",
                    "label": "shop-files",
                    "differences": {"Encryption": ["AES256", "aws:kms"]},
                    "drifted": ["Encryption"],
                }
            ],
        },
    )
    OperationEventFactory(operation=row, message="+ bucket made")
    url = reverse("admin:sites_operation_change", args=[row.pk])
    content = admin_client.get(url).content.decode()
    for said in ("Denied by AWS.", "+ bucket made", "try again", "shop-files", "aws:kms"):
        assert said in content
    assert "every 2s" not in content
    assert "Denied by AWS." in admin_client.get("/sites/operation/?q=denied").content.decode()
    assert admin_client.post(url, {"status": "success"}).status_code == 403
    assert admin_client.get("/sites/operation/add/").status_code == 403


def test_an_operation_under_way_refreshes_itself(admin_client, client):
    row = OperationFactory(waits=[{"what": "certificate", "why": "It takes minutes"}])
    panel = reverse("admin:sites_operation_panel", args=[row.pk])
    content = admin_client.get(panel).content.decode()
    assert "every 2s" in content
    assert "It takes minutes." in content
    assert client.get(panel).headers["HX-Refresh"] == "true"


def test_page_of_an_operation_takes_the_same_queries_for_more_steps(
    admin_client, django_assert_num_queries
):
    row = OperationFactory(status="success")
    url = reverse("admin:sites_operation_change", args=[row.pk])
    OperationEventFactory(operation=row)
    admin_client.get(url)
    with django_assert_num_queries(10, exact=False) as few:
        admin_client.get(url)
    for _ in range(12):
        OperationEventFactory(operation=row)
    with django_assert_num_queries(len(few)):
        admin_client.get(url)
