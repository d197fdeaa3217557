"""The first page, empty and full, and what is said when something is not as it should be."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from cloudadmin.dashboard.attention import groups
from deployments import limits
from deployments.models import Deployment
from sites.models import Membership, Operation, Role, Site, VisitCursor
from tests.deployments.endings import ended
from tests.factories import (
    AccountFactory,
    DeploymentFactory,
    OperationFactory,
    ResourceFactory,
    SiteFactory,
    UserFactory,
    VisitDayFactory,
    member,
)

pytestmark = pytest.mark.django_db
HOME = "/"


def fill(count: int) -> None:
    account = AccountFactory()
    for _ in range(count):
        live = SiteFactory(account=account, live=True, serving=True)
        DeploymentFactory(site=live, number=1, current=True)
        DeploymentFactory(site=live, number=2, state="failure", error_message="Taken back.")
        VisitDayFactory(site=live)
        OperationFactory(
            site=live,
            status=Operation.Status.IN_PROGRESS,
            waits=[{"what": "certificate", "why": "DNS", "since": timezone.now().isoformat()}],
        )
        failed = SiteFactory(account=account, state=Site.State.FAILED)
        OperationFactory(site=failed, status="failure", error_message="No more distributions.")


def test_home_without_sites_leads_to_the_first_one(admin_client):
    page = admin_client.get(HOME).content.decode()
    assert reverse("new-site") in page


def test_home_says_what_is_going_on(admin_client):
    fill(1)
    VisitCursor.objects.create(account=AccountFactory(), error_message="The database is away.")
    yesterday = timezone.now().date() - timedelta(days=1)
    VisitDayFactory(site=Site.objects.get(state="live"), day=yesterday, visits=1234)
    page = admin_client.get(HOME).content.decode()
    for said in ("No more distributions.", "Taken back.", "certificate", "The database is away."):
        assert said in page
    assert "1,235" in page


def test_a_failed_deployment_needs_attention_until_a_later_one_succeeded(admin_client):
    site = SiteFactory(live=True)
    ended(site, 1, "failure", "Older.")
    ended(site, 2, "failure", "Taken back.")
    ended(site, 3, "inactive")
    listed = reverse("admin:sites_site_changelist", query={"attention": "deployment"})
    page = admin_client.get(HOME).content.decode()
    assert "Taken back." in page
    assert "Older." not in page
    assert listed in page
    assert [line.name for line in admin_client.get(listed).context["lines"]] == [site.name]
    ended(site, 4, "success")
    ended(site, 5, "failure", environment="preview")
    page = admin_client.get(HOME).content.decode()
    assert "Taken back." not in page
    assert f"{site} #5, a preview" in page
    ended(site, 6, "success")
    assert admin_client.get(listed).context["lines"] == []


def test_what_is_left_of_an_account_is_told_before_it_is_used_up(admin_client, monkeypatch):
    account = AccountFactory(name="Nearly full")
    monkeypatch.setattr(limits, "FUNCTIONS", 6)
    for _ in range(3):
        SiteFactory(account=account, live=True)
    assert "6 of 6 CloudFront functions" in admin_client.get(HOME).content.decode()
    SiteFactory(account=account, live=True)  # so AWS has given more
    assert "CloudFront functions" not in admin_client.get(HOME).content.decode()


def test_a_domain_that_hangs_for_days_needs_attention(admin_client):
    since = timezone.now() - timedelta(days=3)
    row = {"is_ready": False, "waiting_since": since, "todo": "Name ns-1 at your registrar."}
    hangs = SiteFactory()
    ResourceFactory(site=hangs, logical_id="certificate", **row)
    assert "Name ns-1 at your registrar." in admin_client.get(HOME).content.decode()
    page = admin_client.get(reverse("admin:sites_site_changelist", query={"attention": "slow"}))
    assert [line.name for line in page.context["lines"]] == [hangs.name]


def test_nothing_that_needs_a_person_is_said_too(admin_client):
    SiteFactory(live=True)
    page = admin_client.get(HOME).content.decode()
    assert "Nothing needs you." in page
    assert 'hx-trigger="every' not in page


def test_what_is_under_way_refreshes_itself_alone(admin_client):
    fill(1)
    assert 'hx-trigger="every' in admin_client.get(HOME).content.decode()
    part = admin_client.get(HOME, {"part": "live"}).content.decode()
    assert "Under way" in part
    assert "<html" not in part


def test_what_fails_while_home_is_made_is_told_with_the_next_look(admin_client, monkeypatch):
    row = DeploymentFactory(site=SiteFactory(live=True), state=Deployment.State.IN_PROGRESS)

    def failed_by_then(*asked):
        found = groups(*asked)
        ended_now = {"state": "failure", "finished_at": timezone.now(), "needs_attention": True}
        Deployment.objects.filter(pk=row.pk).update(**ended_now)
        return found

    monkeypatch.setattr("cloudadmin.dashboard.home.groups", failed_by_then)
    late = admin_client.get(HOME).content.decode()
    assert "Nothing needs you." in late
    assert 'hx-trigger="every' in late
    assert "Nothing needs you." not in admin_client.get(HOME, {"part": "live"}).content.decode()


def test_home_tells_a_person_of_their_own_sites_alone(client):
    fill(1)
    mine = SiteFactory(name="mine", live=True)
    DeploymentFactory(site=mine, state="failure", error_message="Mine failed.")
    person = UserFactory()
    Membership.objects.create(user=person, site=mine, role=Role.VIEWER)
    client.force_login(person)
    page = client.get(HOME).content.decode()
    assert "Mine failed." in page
    for foreign in ("Taken back.", "No more distributions.", "certificate"):
        assert foreign not in page


def test_what_waits_for_a_person_comes_first(admin_client):
    waits = [{"what": "distribution", "why": "CloudFront"}]
    OperationFactory(site=SiteFactory(name="by-itself"), waits=waits)
    asked = [*waits, {"what": "domain", "why": "DNS", "todo": "name ns-1.awsdns-2.com"}]
    OperationFactory(site=SiteFactory(name="on-you"), waits=asked)
    page = admin_client.get(HOME).content.decode()
    assert page.index("on-you") < page.index("running-title") < page.index("by-itself")
    assert page.index("ns-1.awsdns-2.com") < page.index("CloudFront")


def test_a_live_site_whose_change_failed_needs_attention(admin_client):
    site = SiteFactory(live=True)
    OperationFactory(site=site, status="failure", error_message="No more functions.")
    assert "No more functions." in admin_client.get(HOME).content.decode()
    OperationFactory(site=site, status="success")
    assert "No more functions." not in admin_client.get(HOME).content.decode()


def test_what_is_under_way_for_an_account_leads_to_its_operation(admin_client):
    account = AccountFactory()
    row = OperationFactory(site=None, site_name="account a", account=account, kind="delete")
    SiteFactory(account=account)
    page = admin_client.get(HOME).content.decode()
    assert reverse("admin:sites_operation_change", args=[row.pk]) in page


def test_home_takes_the_same_queries_for_more_rows(
    admin_client, django_assert_max_num_queries, django_assert_num_queries
):
    fill(6)
    with django_assert_max_num_queries(18) as few:
        admin_client.get(HOME)
    fill(8)
    with django_assert_num_queries(len(few)):
        admin_client.get(HOME)


def test_home_shows_nothing_to_who_may_see_nothing(client):
    fill(1)
    client.force_login(UserFactory())
    page = client.get(HOME).content.decode()
    assert "You have no role here" in page
    assert Deployment.objects.get(number=1).site.name not in page


def test_the_banner_names_the_local_cloud_and_only_it(admin_client, settings):
    settings.AWS_ENDPOINT_URL = "http://127.0.0.1:1"
    assert "Local cloud" in admin_client.get(HOME).content.decode()
    settings.AWS_ENDPOINT_URL = None
    assert "Local cloud" not in admin_client.get(HOME).content.decode()


def test_the_sidebar_names_only_what_may_be_seen(client):
    client.force_login(member(Role.VIEWER, SiteFactory()))
    page = client.get(HOME).content.decode()
    assert reverse("admin:sites_site_changelist") in page
    assert reverse("admin:auth_user_changelist") not in page


@pytest.mark.parametrize(
    ("address", "title"),
    [("/", "Home"), ("/sites/new/", "Sites"), ("/sites/site/visitors/", "Visitors")],
)
def test_the_sidebar_marks_one_line(admin_client, address, title):
    context = admin_client.get(address).context
    lines = [line for group in context["sidebar"] for line in group]
    assert [line["title"] for line in lines if line["active"]] == [title]


def test_a_login_without_a_destination_leads_home(client):
    UserFactory(username="ada")
    response = client.post("/login/", {"login": "ada", "password": "secret"})
    assert response.url == HOME


@pytest.mark.parametrize("model", ["auth_user", "sites_team"])
def test_users_and_teams_can_be_managed(admin_client, model):
    assert admin_client.get(reverse(f"admin:{model}_changelist")).status_code == 200
    assert admin_client.get(reverse(f"admin:{model}_add")).status_code == 200


def test_what_is_not_there_is_said_in_words(admin_client):
    response = admin_client.get("/sites/site/999/destroy/")
    assert response.status_code == 404
    assert "nothing at this address" in response.content.decode()
