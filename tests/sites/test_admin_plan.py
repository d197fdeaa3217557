"""The page of a plan: comes at once, fills by itself, and applies only what it showed."""

from __future__ import annotations

from unittest import mock

import pytest
from django.urls import reverse

from cloudadmin.aws import ClientError
from sites import drift, operations, tasks
from sites.models import Operation, Role, Site
from sites.provisioning.errors import ProvisioningError
from sites.provisioning.plan import Create, Delete, Plan, Update
from sites.provisioning.preflight import Finding
from tests.factories import OperationFactory, ResourceFactory, SiteFactory, member

pytestmark = pytest.mark.django_db

DATABASE = Create("db_instance", "db_instance", "cloudadmin-db", usual_wait=600)
UPDATE = Update(
    "distribution",
    "distribution",
    "shop",
    differences={"PriceClass": ("PriceClass_All", "PriceClass_100"), "Comment": ("", "x" * 200)},
    usual_wait=300,
    drifted=("PriceClass",),
)
EMPTYING = Delete("bucket", "bucket", "shop-files", keeps_data=True)
CAA = Finding("caa", "example.com", "CAA forbids Amazon.", "Add `0 issue amazon.com`.", blocks=True)
NOTE = Finding("delegation", "example.com", "example.com is elsewhere.", "Name ns-1.awsdns-2.com.")


def url(site: Site, slug: str = "provision") -> str:
    return reverse(f"admin:sites_site_{slug}", args=[site.pk])


@pytest.fixture
def preflight(monkeypatch):
    """What the plan would run into: nothing."""
    found = mock.create_autospec(operations.preflight, return_value=())
    monkeypatch.setattr(operations, "preflight", found)
    return found


@pytest.fixture
def plan(preflight, monkeypatch):
    """What AWS would be changed by; set its ``return_value``."""
    planned = mock.create_autospec(operations.plan, return_value=Plan((UPDATE,), (DATABASE,)))
    monkeypatch.setattr(operations, "plan", planned)
    return planned


@pytest.fixture
def run_operation(monkeypatch):
    delay = mock.create_autospec(tasks.run_operation.delay)
    monkeypatch.setattr(tasks.run_operation, "delay", delay)
    return delay


def part(client, site: Site, slug: str = "provision", **query: str) -> str:
    content: str = client.get(url(site, slug), {"part": 1, **query}).content.decode()
    return content


def test_the_page_comes_before_the_plan(admin_client, plan):
    site = SiteFactory()
    content = admin_client.get(url(site)).content.decode()
    assert 'hx-trigger="load"' in content
    assert "?part=1" in content
    plan.assert_not_called()


def test_the_plan_is_told_in_words(admin_client, plan):
    content = part(admin_client, SiteFactory())
    for said in (
        "For the site",
        "For the account",
        "1 to add, 1 to change",
        "create",
        "PriceClass_All",
        "changed on AWS",
        "$13.98 a month",
        "about 10 minutes",
        plan.return_value.checksum,
    ):
        assert said in content
    assert "<html" not in content


def test_an_empty_plan_has_no_button(admin_client, plan):
    plan.return_value = Plan()
    content = part(admin_client, SiteFactory(live=True, serving=True))
    assert "No changes" in content
    assert 'type="submit"' not in content


def test_an_empty_plan_of_a_site_that_is_not_all_there_can_be_run(admin_client, plan):
    plan.return_value = Plan()
    site = SiteFactory(live=True, serving=True)
    ResourceFactory(site=site, logical_id="certificate", is_ready=False)
    assert 'type="submit"' in part(admin_client, site)


def test_what_was_shown_is_asked_for(
    admin_client, admin_user, plan, run_operation, django_capture_on_commit_callbacks
):
    site = SiteFactory()
    with django_capture_on_commit_callbacks(execute=True):
        response = admin_client.post(url(site), {"checksum": plan.return_value.checksum})
    operation = Operation.objects.get(site=site)
    assert (operation.kind, operation.creator) == (Operation.Kind.PROVISION, admin_user)
    assert operation.plan_checksum == plan.return_value.checksum
    run_operation.assert_called_once_with(operation.pk)
    assert response.url == reverse("admin:sites_site_change", args=[site.pk])


@pytest.mark.parametrize("checksum", ["", "another"])
def test_another_plan_than_the_shown_one_comes_back(admin_client, plan, checksum):
    content = admin_client.post(url(SiteFactory()), {"checksum": checksum}).content.decode()
    assert "changed since this plan was shown" in content
    assert plan.return_value.checksum in content
    assert not Operation.objects.exists()
    assert plan.call_count == 1


def test_what_aws_would_refuse_needs_a_word_of_its_own(
    admin_client, plan, preflight, run_operation
):
    preflight.return_value = (CAA, NOTE)
    site = SiteFactory()
    content = part(admin_client, site)
    assert "CAA forbids Amazon." in content
    assert "<code>ns-1.awsdns-2.com</code>." in content
    assert 'name="force" value="caa" required' in content
    form = {"checksum": plan.return_value.checksum, "force": ["caa"]}
    admin_client.post(url(site), form)
    assert Operation.objects.get().force == ["caa"]


def test_what_loses_data_needs_the_name(admin_client, plan, run_operation):
    plan.return_value = Plan((EMPTYING,))
    site = SiteFactory(live=True, serving=True)
    assert "Data is lost for good" in part(admin_client, site)
    form = {"checksum": plan.return_value.checksum}
    for name in ("", "SHOP"):
        admin_client.post(url(site), form | {"name": name})
        assert not Operation.objects.exists()
    admin_client.post(url(site), form | {"name": site.name})
    assert Operation.objects.get().force == ["bucket"]


def test_what_takes_most_of_it_away_needs_the_name(admin_client, plan, run_operation):
    plan.return_value = Plan(tuple(Delete(f"r{n}", "alias_record", f"r{n}") for n in range(5)))
    site = SiteFactory(live=True, serving=True)
    assert "takes away most" in part(admin_client, site)
    form = {"checksum": plan.return_value.checksum, "name": site.name}
    admin_client.post(url(site), form)
    assert Operation.objects.get().force == ["stack"]


@pytest.mark.parametrize(
    "error",
    [
        ClientError({"Error": {"Code": "AccessDenied", "Message": "No."}}, "GetBucketAcl"),
        ProvisioningError("bucket.read: AWS said AccessDenied"),
    ],
)
def test_what_aws_refuses_is_told_in_place(admin_client, plan, error):
    plan.side_effect = error
    site = SiteFactory()
    content = part(admin_client, site)
    assert "AccessDenied" in content
    assert 'type="submit"' not in content
    assert "AccessDenied" in admin_client.post(url(site), {"checksum": "x"}).content.decode()


def test_a_busy_site_is_said_on_the_page(admin_client, plan):
    site = SiteFactory()
    assert OperationFactory(site=site).claim()
    form = {"checksum": plan.return_value.checksum}
    assert "being worked on right now" in admin_client.post(url(site), form).content.decode()


# --- Restoring ------------------------------------------------------------------------------------


@pytest.fixture
def drifted() -> Site:
    site = SiteFactory(live=True, serving=True)
    about = {"logical_id": "distribution", "type": "distribution", "label": site.name}
    fields = [
        about | {"path": "PriceClass", "recorded": "PriceClass_100", "actual": "PriceClass_All"},
        about | {"path": "Comment", "recorded": "a", "actual": "b"},
    ]
    site.resources.filter(logical_id="distribution").update(drift=fields)
    return site


def key(site: Site, path: str) -> str:
    return f"{site.resources.get(logical_id='distribution').pk}:{path}"


def test_one_field_is_restored_and_the_others_are_left(admin_client, plan, drifted, run_operation):
    only = key(drifted, "PriceClass")
    content = part(admin_client, drifted, "restore", only=only)
    assert plan.call_args.kwargs["leaving"] == {("distribution", "Comment")}
    assert only in content
    form = {"checksum": plan.return_value.checksum, "only": only}
    admin_client.post(url(drifted, "restore"), form)
    assert Operation.objects.get().plan_checksum == plan.return_value.checksum
    row = drifted.resources.get(logical_id="distribution")
    assert [each["is_left"] for each in row.drift] == [False, True]


def test_all_is_restored(admin_client, plan, drifted, run_operation):
    form = {"checksum": plan.return_value.checksum}
    admin_client.post(url(drifted, "restore"), form)
    assert plan.call_args.kwargs["leaving"] == ()
    assert Operation.objects.exists()


def test_what_is_shared_is_restored_by_superusers(
    client, admin_client, plan, drifted, run_operation
):
    plan.return_value = Plan((), (UPDATE,))
    client.force_login(member(Role.OPERATOR, drifted))
    form = {"checksum": plan.return_value.checksum}
    content = client.post(url(drifted, "restore"), form).content.decode()
    assert "for a superuser to decide" in content
    assert not Operation.objects.exists()
    admin_client.post(url(drifted, "restore"), form)
    assert Operation.objects.exists()


def test_what_is_no_drift_any_more_cannot_be_restored(admin_client, plan, drifted):
    content = part(admin_client, drifted, "restore", only="1:Nothing")
    assert "not drift any more" in content
    assert 'type="submit"' not in content


def test_a_restore_that_has_to_be_forced_leads_to_provision(admin_client, plan, drifted):
    plan.return_value = Plan((EMPTYING,))
    content = part(admin_client, drifted, "restore")
    assert url(drifted) in content
    assert 'type="submit"' not in content
    assert drift.of_site(drifted)
