"""What a site's overview says at its top of a deployment that failed."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from sites.models import Role, Site
from tests.factories import DeploymentFactory, RepositoryFactory, SiteFactory, member

pytestmark = pytest.mark.django_db
REASON = "AWS refused it. What to try: give the role s3:PutObject."


@pytest.fixture
def site() -> Site:
    site: Site = SiteFactory(name="shop", live=True, serving=True)
    DeploymentFactory(site=site, number=4, current=True)
    return site


def overview(client: Client, site: Site) -> str:
    return client.get(reverse("admin:sites_site_change", args=[site.pk])).content.decode()


def failed(site: Site, **fields: Any) -> Any:
    return DeploymentFactory(site=site, number=5, state="failure", error_message=REASON, **fields)


def test_it_says_why_and_what_to_try_once_and_leads_to_its_page(admin_client, site):
    assert " failed</h2>" not in overview(admin_client, site)
    row = failed(site, phase="verify", files=3)
    content = overview(admin_client, site)
    assert "Deployment #5 failed</h2>" in content
    assert content.count("give the role") == 1
    assert "visitors get #4 meanwhile" in content
    assert reverse("admin:deployments_deployment_change", args=[row.pk]) in content
    assert f"{reverse('admin:sites_site_retry', args=[site.pk])}?to=5" in content


def test_one_of_a_branch_is_tried_again_while_there_is_a_repository(admin_client, site):
    failed(site, phase="source", trigger="push", files=0)
    content = overview(admin_client, site)
    assert 'id="retry-5"' not in content
    assert 'id="again-5"' in content
    RepositoryFactory(site=site)
    assert 'id="retry-5"' in overview(admin_client, site)


def test_its_successor_under_way_is_waited_for(admin_client, site):
    failed(site)
    DeploymentFactory(site=site, number=6, state="queued")
    content = overview(admin_client, site)
    assert "Deployment #5 failed" not in content
    assert "give the role" in content  # in its row


def test_one_before_what_is_served_takes_no_room_on_the_overview(admin_client, site):
    past = {"number": 3, "state": "failure", "error_message": REASON, "needs_attention": False}
    DeploymentFactory(site=site, **past)
    assert "give the role" not in overview(admin_client, site)
    every = reverse("admin:sites_site_deployments", args=[site.pk])
    assert "give the role" in admin_client.get(every).content.decode()


def test_who_only_looks_has_no_button(client, site):
    failed(site, phase="verify", files=3)
    client.force_login(member(Role.VIEWER, site))
    content = overview(client, site)
    assert "Deployment #5 failed</h2>" in content
    assert "retry-5" not in content


def test_it_takes_one_query(
    admin_client, site, django_assert_max_num_queries, django_assert_num_queries
):
    overview(admin_client, site)
    with django_assert_max_num_queries(30) as calm:
        overview(admin_client, site)
    assert sum("has_repository" in each["sql"] for each in calm) == 1
    failed(site, phase="source", trigger="push", files=0)
    DeploymentFactory(site=site, number=6, state="error", environment="preview", label="spring")
    with django_assert_num_queries(len(calm)):
        overview(admin_client, site)
