"""Drift in the dashboard: told where it is, accepted after a page that says what that means."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from unittest import mock

import pytest
from django.urls import reverse
from django.utils import timezone

from sites import drift, drift_checks
from sites.models import Resource, Role, Site
from sites.provisioning.errors import ResourceFailed, ResourceGaveUp
from tests.factories import OperationFactory, ResourceFactory, SiteFactory, member

pytestmark = pytest.mark.django_db
LIST = "/sites/site/"
PRICE = {"path": "PriceClass", "recorded": "PriceClass_100", "actual": "PriceClass_All"}
OPEN = {"path": "PublicAccessBlock.BlockPublicAcls", "recorded": True, "actual": False}


def page(site: Site) -> str:
    return reverse("admin:sites_site_resources", args=[site.pk])


def overview(site: Site) -> str:
    return reverse("admin:sites_site_change", args=[site.pk])


def action(site: Site, slug: str) -> str:
    return reverse(f"admin:sites_site_{slug}", args=[site.pk])


def drifts(row: Resource, *fields: dict[str, Any]) -> Resource:
    """As a look would have written it."""
    about = {"logical_id": row.logical_id, "type": row.type, "label": "its name"}
    row.drift = [about | each for each in fields]
    row.drift_checked_at = timezone.now() - timedelta(minutes=5)
    row.save()
    return row


@pytest.fixture
def site() -> Site:
    return SiteFactory(live=True, serving=True)


@pytest.fixture
def distribution(site: Site) -> Resource:
    return drifts(site.resources.get(logical_id="distribution"), PRICE)


def test_a_site_without_drift_has_no_panel_of_it(admin_client, site):
    content = admin_client.get(page(site)).content.decode()
    assert "drift-title" not in content
    assert "Check now" in content


def test_what_matters_for_security_comes_first(admin_client, site, distribution):
    drifts(site.resources.get(logical_id="bucket"), OPEN)
    content = admin_client.get(page(site)).content.decode()
    assert content.index("PublicAccessBlock") < content.index("PriceClass_All")
    assert "The bucket can be opened to everybody." in content
    assert action(site, "restore") in content
    assert f"{action(site, 'accept')}?only={distribution.pk}%3APriceClass" in content


def test_who_may_only_look_is_offered_nothing(client, site, distribution):
    client.force_login(member(Role.VIEWER, site))
    content = client.get(page(site)).content.decode()
    assert "PriceClass_All" in content
    assert action(site, "accept") not in content
    assert action(site, "check-drift") not in content


def test_accepting_says_what_it_means_then_does_it(admin_client, site, distribution):
    only = {"only": f"{distribution.pk}:PriceClass"}
    content = admin_client.get(action(site, "accept"), only).content.decode()
    assert "From now on the site wants it" in content
    admin_client.post(action(site, "accept"), only)
    site.refresh_from_db()
    assert site.price_class == "PriceClass_All"
    assert not drift.of_site(site)


def test_what_cannot_be_accepted_says_why(admin_client, site):
    row = drifts(site.resources.get(logical_id="distribution"), {"path": ""})
    only = {"only": f"{row.pk}:"}
    content = admin_client.get(action(site, "accept"), only).content.decode()
    assert "What is gone cannot be accepted" in content
    admin_client.post(action(site, "accept"), only)
    assert drift.of_site(site)


def test_what_is_shared_is_decided_by_superusers(client, site):
    shared = ResourceFactory(site=None, account=site.account, logical_id="origin_access_control")
    drifts(shared, {"path": "SigningBehavior", "recorded": "always", "actual": "never"})
    client.force_login(member(Role.OWNER, site))
    content = client.get(page(site)).content.decode()
    assert "shared by the account" in content
    assert action(site, "accept") not in content
    assert f"{action(site, 'restore')}?only" not in content
    only = {"only": f"{shared.pk}:SigningBehavior"}
    assert client.post(action(site, "accept"), only).status_code == 403


def test_what_was_accepted_can_be_taken_back(admin_client, site, monkeypatch):
    row = site.resources.get(logical_id="bucket")
    row.accepted = {"Encryption": "aws:kms"}
    row.save()
    unaccept = mock.create_autospec(drift.unaccept)
    monkeypatch.setattr(drift, "unaccept", unaccept)
    assert "Accepted as it is on AWS" in admin_client.get(page(site)).content.decode()
    only = {"only": f"{row.pk}:Encryption"}
    content = admin_client.get(action(site, "unaccept"), only).content.decode()
    assert "shown as drift again" in content
    admin_client.post(action(site, "unaccept"), only)
    assert unaccept.call_args.args[:2] == (row, ["Encryption"])
    row.accepted = {}
    row.save()
    assert "not any more" in admin_client.post(action(site, "unaccept"), only).content.decode()


@pytest.mark.parametrize(
    ("failures", "said"),
    [
        ([], "Everything on AWS is as it was asked for."),
        ([ResourceFailed("bucket", "read", ResourceGaveUp("no"))], "could be looked at"),
    ],
)
def test_a_look_can_be_asked_for(admin_client, site, monkeypatch, failures, said):
    check = mock.create_autospec(drift_checks.check, return_value=failures)
    monkeypatch.setattr(drift_checks, "check", check)
    response = admin_client.post(action(site, "check-drift"), follow=True)
    assert said in response.content.decode()
    check.assert_called_once_with(site)


def test_a_look_waits_for_the_operation(admin_client, site):
    OperationFactory(site=site)
    content = admin_client.post(action(site, "check-drift")).content.decode()
    assert "An operation is at work" in content


def test_sites_with_drift_can_be_listed(admin_client, site, distribution):
    other = SiteFactory(live=True, serving=True)
    shared = ResourceFactory(
        site=None, logical_id="permission_boundary", account=SiteFactory().account
    )
    drifts(shared, {"path": "Document", "recorded": "a", "actual": "b"})
    beside = Site.objects.get(account=shared.account)
    found = admin_client.get(LIST, {"drift": "yes"}).content.decode()
    assert all(overview(each) in found for each in (site, beside))
    assert overview(other) not in found
    assert "badge-drift" in found
    found = admin_client.get(LIST, {"drift": "no"}).content.decode()
    assert overview(other) in found
    assert overview(site) not in found


def test_home_counts_sites_with_drift(admin_client, site, distribution):
    content = admin_client.get("/").content.decode()
    assert "Changed on AWS" in content
    assert "PriceClass is PriceClass_All" in content


def test_the_page_takes_the_same_queries_for_more_drift(
    admin_client, site, distribution, django_assert_num_queries
):
    admin_client.get(page(site))  # content types are remembered from the first time on
    with django_assert_num_queries(33, exact=False) as few:
        admin_client.get(page(site))
    for row in site.resources.all():
        drifts(row, *({"path": f"Tags.{n}", "recorded": "a", "actual": "b"} for n in range(40)))
    with django_assert_num_queries(len(few)):
        content = admin_client.get(page(site)).content.decode()
    assert "the first 30 of 120" in content
