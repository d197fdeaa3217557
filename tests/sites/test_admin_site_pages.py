"""The pages of one site beside its overview: domains, resources, activity, cost; who sees them."""

from __future__ import annotations

import re
from unittest import mock

import pytest
from django.urls import reverse
from django.utils import timezone

from sites import preflight
from sites.admin.console import console_url
from sites.models import Role, Site
from sites.provisioning.errors import ProvisioningError
from sites.provisioning.preflight import Finding
from tests.factories import (
    DeploymentFactory,
    DomainFactory,
    OperationEventFactory,
    OperationFactory,
    ResourceFactory,
    SiteFactory,
    VisitDayFactory,
    member,
)

pytestmark = pytest.mark.django_db
PAGES = (
    *("change", "deployments", "visitors", "domains"),
    *("resources", "activity", "people", "settings", "cost"),
)


@pytest.fixture
def site() -> Site:
    return SiteFactory(name="shop", live=True, serving=True)


def page(site: Site, name: str) -> str:
    return reverse(f"admin:sites_site_{name}", args=[site.pk])


def test_every_page_says_where_it_is_and_is_nobody_elses(client, site):
    client.force_login(member(Role.VIEWER, site))
    for name in PAGES:
        content = client.get(page(site, name)).content.decode()
        assert f'href="{page(site, name)}" aria-current="page"' in content
    client.force_login(member(Role.OWNER, SiteFactory()))
    assert {client.get(page(site, name)).status_code for name in PAGES} == {404}
    client.logout()
    assert {client.get(page(site, name)).status_code for name in PAGES} == {302}


def test_the_account_is_a_link_for_those_alone_who_may_follow_it(admin_client, client, site):
    link = reverse("admin:sites_account_change", args=[site.account_id])
    assert link in admin_client.get(page(site, "settings")).content.decode()
    client.force_login(member(Role.OPERATOR, site))
    shown = client.get(page(site, "settings")).content.decode()
    assert site.account.name in shown
    assert link not in shown
    assert 'name="_save"' in shown
    client.force_login(member(Role.VIEWER, site))
    assert ">Close<" not in client.get(page(site, "settings")).content.decode()


@pytest.mark.parametrize("name", PAGES)
def test_a_page_takes_the_same_queries_for_more_rows(
    admin_client, site, django_assert_num_queries, django_assert_max_num_queries, name
):
    def fill(numbers: range) -> None:
        for number in numbers:
            DeploymentFactory(site=site, number=number, served=True)
            DomainFactory(site=site)
            done = OperationFactory(site=site, status="success", creator=member(Role.OWNER, site))
            OperationEventFactory(operation=done)
            ResourceFactory(site=site, logical_id=f"record_set.{number}", type="alias_record")

    fill(range(1, 4))
    VisitDayFactory(site=site)
    admin_client.get(page(site, name))
    with django_assert_max_num_queries(30) as few:
        admin_client.get(page(site, name))
    fill(range(4, 31))
    with django_assert_num_queries(len(few)):
        admin_client.get(page(site, name))


# --- Domains --------------------------------------------------------------------------------------


def test_a_domain_says_how_far_it_is_and_what_is_to_be_done(admin_client, site):
    assert "No domain yet" in admin_client.get(page(site, "domains")).content.decode()
    DomainFactory(site=site, name="shop.example.com")
    DomainFactory(site=site, name="www.shop.example.com", redirects=True)
    site.resources.filter(logical_id="distribution").update(
        attributes={"domain_name": "d1.cloudfront.net", "aliases": ["shop.example.com"]}
    )
    about = {"domains": ["shop.example.com", "www.shop.example.com"], "name": "c", "tags": {}}
    ResourceFactory(site=site, logical_id="certificate", aws_status="ISSUED", inputs=about)
    ResourceFactory(
        site=site,
        logical_id="v",
        type="validation_record",
        physical_id="",
        is_ready=False,
        waiting_for="a hosted zone: Route 53 has none",
        todo="Add to your DNS CNAME _x.www.shop.example.com.",
        inputs={"certified_domain": "www.shop.example.com", "name": "_x.", "value": "_y.aws."},
    )
    content = admin_client.get(page(site, "domains")).content.decode()
    for said in (
        "Redirects to shop.example.com",
        "Waits for a hosted zone",
        'data-copy="_y.aws"',
        "for you to add",
        "badge-live",
    ):
        assert said in content


def test_domains_refresh_while_something_is_under_way_and_change_only_then(admin_client, site):
    DomainFactory(site=site, name="shop.example.com")
    assert "every 3s" not in admin_client.get(page(site, "domains")).content.decode()
    OperationFactory(site=site, status="in_progress")
    (seen,) = re.findall(
        r'hx-get="[^"]*seen=(\w+)"', admin_client.get(page(site, "domains")).content.decode()
    )
    asked = {"seen": seen}
    assert admin_client.get(page(site, "domains"), asked).status_code == 204
    about = {"domains": ["shop.example.com"], "name": "c", "tags": {}}
    ResourceFactory(site=site, logical_id="certificate", inputs=about)
    changed = admin_client.get(page(site, "domains"), asked).content.decode()
    assert "Waits for its record" in changed


def test_the_dns_is_looked_up_apart(admin_client, site, monkeypatch):
    DomainFactory(site=site, name="shop.example.com")
    found = Finding("delegation", "example.com", "Its registrar shows others.", "Name these.")
    look = mock.create_autospec(preflight.dns_findings, return_value=(found,))
    monkeypatch.setattr(preflight, "dns_findings", look)
    admin_client.get(page(site, "domains"))
    look.assert_not_called()
    part = admin_client.get(page(site, "domains"), {"part": 1}).content.decode()
    assert "Its registrar shows others." in part
    look.side_effect = ProvisioningError("Silence.")
    assert "Silence." in admin_client.get(page(site, "domains"), {"part": 1}).content.decode()


def test_domains_are_added_and_removed(client, site):
    client.force_login(member(Role.OPERATOR, site))
    add, remove = page(site, "add-domain"), page(site, "remove-domain")
    said = client.post(add, {"name": "www.example.com", "redirects": "on"}).content.decode()
    assert "none is left to redirect to" in said
    DomainFactory(site=SiteFactory(), name="taken.example.com")
    for name in ("http://example.com/shop", "taken.example.com", "x" * 300):
        assert 'class="error"' in client.post(add, {"name": name}).content.decode() or (
            not site.domains.exists()
        )
    added = client.post(add, {"name": "Example.com."}, follow=True)
    assert added.redirect_chain[0][0] == page(site, "domains")
    assert "see the plan, then provision" in added.content.decode()
    client.post(add, {"name": "www.example.com", "redirects": "on"})
    first, other = site.domains.all()
    refused = client.post(remove, {"domain": first.pk}).content.decode()
    assert "what the site&#x27;s other domains redirect to" in refused
    assert client.get(remove, {"domain": other.pk}).status_code == 200
    for pk in (other.pk, first.pk):
        client.post(remove, {"domain": pk})
    assert not site.domains.exists()
    elsewhere = DomainFactory(site=SiteFactory())
    gone = client.post(remove, {"domain": elsewhere.pk}).content.decode()
    assert "not one of the site" in gone
    client.force_login(member(Role.DEPLOYER, site))
    assert client.post(add, {"name": "b.example.com"}).status_code == 403
    assert "Add a domain" not in client.get(page(site, "domains")).content.decode()


# --- Resources, activity, cost --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("type", "physical_id", "url"),
    [
        (
            "bucket",
            "a-b",
            "https://eu-west-1.console.aws.amazon.com/s3/buckets/a-b?region=eu-west-1",
        ),
        (
            "certificate",
            "arn:aws:acm:us-east-1:1:certificate/0a-1b",
            "https://us-east-1.console.aws.amazon.com/acm/home?region=us-east-1#/certificates/0a-1b",
        ),
        (
            "alias_record",
            "Z1/a.example/A",
            "https://us-east-1.console.aws.amazon.com/route53/v2/hostedzones#ListRecordSets/Z1",
        ),
        (
            "log_group",
            "/aws/lambda/x",
            "https://eu-west-1.console.aws.amazon.com/cloudwatch/home?region=eu-west-1"
            "#logsV2:log-groups/log-group/$252Faws$252Flambda$252Fx",
        ),
        ("bucket", "", ""),
        ("counter_schema", "x", ""),
    ],
)
def test_the_console_is_that_of_the_resources_region(type, physical_id, url):
    row = ResourceFactory.build(site=None, account=None, type=type, physical_id=physical_id)
    assert console_url(row, "eu-west-1") == url


def test_a_resource_has_its_id_tags_and_way_to_the_console(admin_client, site, settings):
    settings.AWS_ENDPOINT_URL = None
    site.resources.filter(type="bucket").update(inputs={"tags": {"team": "<b>shop</b>"}})
    content = admin_client.get(page(site, "resources")).content.decode()
    bucket = site.resources.get(type="bucket")
    assert f'data-copy="{bucket.physical_id}"' in content
    assert "team=&lt;b&gt;shop&lt;/b&gt;" in content
    assert "console.aws.amazon.com/s3/buckets" in content
    settings.AWS_ENDPOINT_URL = "http://localhost:4566"
    content = admin_client.get(page(site, "resources")).content.decode()
    assert "console.aws.amazon.com" not in content


def test_activity_is_one_history_a_page_at_a_time(admin_client, site):
    admin_client.post(page(site, "add-domain"), {"name": " https://Shop.example.com./"})
    assert site.domains.get().name == "shop.example.com"
    Site.objects.filter(pk=site.pk).update(state=Site.State.FAILED)
    Site.objects.filter(pk=site.pk).update(price_class=Site.PriceClass.PRICE_CLASS_ALL)
    for number in range(40):
        row = OperationFactory(site=site, status="failure", error_message=f"No. {number:02}")
        type(row).objects.filter(pk=row.pk).update(created_at=timezone.now())
    first = admin_client.get(page(site, "activity"))
    content = first.content.decode()
    assert "No. 39" in content
    assert "No. 09" not in content
    older = admin_client.get(page(site, "activity"), {"before": first.context["older"]})
    assert "No. 09" in older.content.decode()
    for said in (
        "Added domain shop.example.com",
        f"Site {site.name} needs attention",
        f"Changed site {site.name}: price class",
    ):
        assert said in older.content.decode()
    for before in ("x", "2026-13-01T00:00:00Z", "0001-01-01T00:00:00+00:00"):
        assert admin_client.get(page(site, "activity"), {"before": before}).status_code == 200


def test_cost_is_reckoned_and_says_from_what(admin_client, site):
    ResourceFactory(site=None, account=site.account, logical_id="db_instance")
    SiteFactory(account=site.account)
    VisitDayFactory(site=site, pageviews=1000)
    content = admin_client.get(page(site, "cost")).content.decode()
    assert "12,000 requests" in content
    assert "shared by 2 sites" in content
    assert "$6.99" in content  # half of the database
    tried = admin_client.get(page(site, "cost"), {"views": "10,000,000"}).content.decode()
    assert "$875.00" in tried  # 9 TB at $0.085 a GB, 110 million requests at $0.01 per 10,000
    for views in ("many", "-1", "9" * 30, "²"):
        said = admin_client.get(page(site, "cost"), {"views": views}).content.decode()
        assert "is not a number of pageviews" in said
