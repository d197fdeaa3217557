"""Lists by keyset: every row once, whatever comes in meanwhile; search, filters, what they cost."""

from __future__ import annotations

import re

import pytest
from django.urls import reverse

from deployments.models import Deployment
from sites import keyset
from sites.keyset import Order
from sites.models import Operation, Site, Team
from tests.factories import (
    AccountFactory,
    DeploymentFactory,
    DomainFactory,
    InvalidationFactory,
    OperationFactory,
    ResourceFactory,
    SiteFactory,
    UserFactory,
)

pytestmark = pytest.mark.django_db
SITES = reverse("admin:sites_site_changelist")
DEPLOYMENTS = reverse("admin:deployments_deployment_changelist")
OPERATIONS = reverse("admin:sites_operation_changelist")


def names(page: str) -> list[str]:
    """What is in the first column."""
    return re.findall(r'<th scope="row"><a href="[^"]*">([^<]*)</a>', page)


def listed(client, url=SITES, **asked):
    return names(client.get(url, asked).content.decode())


def link(page: str, rel: str) -> str:
    found: list[str] = re.findall(rf'rel="{rel}" href="([^"]*)"', page)
    return found[0].replace("&amp;", "&")


# --- Pages ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", ["pk", "-pk", "name", "-name", "created_at", "-state"])
def test_all_pages_forwards_and_backwards_have_every_row_once(order):
    account = AccountFactory()
    for number in range(7):
        SiteFactory(account=account, state="live" if number % 2 else "failed")
    wanted = list(Site.objects.order_by(*Order(order).fields()))
    pages: list[keyset.Page[Site]] = []
    cursor = ""
    while not pages or cursor:
        pages.append(keyset.page(Site.objects.all(), Order(order), cursor, 3))
        cursor = pages[-1].next
    assert [row for page in pages for row in page.rows] == wanted
    assert not pages[0].previous
    before = keyset.page(Site.objects.all(), Order(order), pages[2].previous, 3)
    assert before.rows == pages[1].rows
    first = keyset.page(Site.objects.all(), Order(order), before.previous, 3)
    assert (first.rows, first.previous, bool(first.next)) == (pages[0].rows, "", True)


def test_a_page_stays_the_same_while_rows_come_in_and_go(admin_client):
    site = SiteFactory(name="shop")
    for number in range(1, 112):
        DeploymentFactory(site=site, number=number)
    first = admin_client.get(DEPLOYMENTS).content.decode()
    assert names(first)[0] == "shop #111"
    DeploymentFactory(site=site, number=112)
    second = admin_client.get(link(first, "next")).content.decode()
    assert names(second) == [f"shop #{number}" for number in range(61, 11, -1)]
    Deployment.objects.filter(number__lt=40).delete()
    beyond = admin_client.get(link(second, "next")).content.decode()
    assert "Nothing is here any more" in beyond
    assert f'href="{DEPLOYMENTS}"' in beyond


@pytest.mark.parametrize(
    "page",
    ["x", "a", "b!", "aW10", "aWzEsMl0", "aWyJcdTAwMDAiLDFd", "aWyJcdWQ4MDAiLDFd", "a" * 5000],
)
def test_what_is_no_cursor_is_the_first_page(admin_client, page):
    SiteFactory(name="shop")
    assert listed(admin_client, page=page, sort="name") == ["shop"]
    assert listed(admin_client, page=page, sort="-created_at") == ["shop"]


@pytest.mark.parametrize("url", [SITES, DEPLOYMENTS, OPERATIONS])
def test_an_empty_list_says_so(admin_client, url):
    page = admin_client.get(url).content.decode()
    assert "yet." in page
    assert "<table" not in page
    nothing = admin_client.get(url, {"q": "nowhere<b>"}).content.decode()
    assert "Nothing matches" in nothing
    assert "nowhere<b>" not in nothing


# --- Search and filters ---------------------------------------------------------------------------


def test_sites_are_found_by_name_domain_and_either_end_of_an_aws_id(admin_client):
    shop = SiteFactory(name="shop")
    SiteFactory(name="other")
    DomainFactory(site=shop, name="www.acme.com")
    arn = "arn:aws:acm:us-east-1:123456789012:certificate/0abc-4def"
    ResourceFactory(site=shop, logical_id="certificate", physical_id=arn)
    ResourceFactory(site=shop, logical_id="distribution", physical_id="E2QWERTY")
    for asked in ("ho", "ACME", "E2QW", "e2qwerty", "0abc-4def", arn, "shop acme"):
        assert listed(admin_client, q=asked) == ["shop"], asked
    assert listed(admin_client, q="shop nowhere") == []
    assert listed(admin_client, q="\0'%_\\") == []


def test_deployments_are_found_by_what_is_known_of_them(admin_client):
    row = DeploymentFactory(
        site=SiteFactory(name="shop"),
        number=4711,
        description="Prices of autumn/winter",
        author="Émile <b>",
        sha="0123abc" + "0" * 33,
    )
    DeploymentFactory(number=12)
    for asked in ("4711", "#4711", "shop#4711", "price", "winter", "émile", "0123abc", "hop aut"):
        assert listed(admin_client, DEPLOYMENTS, q=asked) == [str(row)], asked
    for asked in (
        "other",
        "0123abd",
        "99999999999",
        "shop#9",
        "***",
        "'",
        "a' | b:*",
        "hop spring",
    ):
        assert listed(admin_client, DEPLOYMENTS, q=asked) == [], asked
    page = admin_client.get(DEPLOYMENTS).content.decode()
    assert "Émile &lt;b&gt;" in page


def test_filters_narrow_and_are_counted_where_that_is_cheap(admin_client):
    account = AccountFactory()
    failed = SiteFactory(name="failed", account=account, state="failed")
    drifted = SiteFactory(name="drifted", live=True)
    ResourceFactory(site=drifted, drift=[{"path": "tags"}])
    refused = SiteFactory(name="refused", live=True)
    OperationFactory(site=refused, status="failure")
    fine = SiteFactory(name="fine", live=True)
    OperationFactory(site=fine, status="failure")
    OperationFactory(site=fine, status="success")
    assert listed(admin_client, state="live") == ["drifted", "fine", "refused"]
    assert listed(admin_client, drift="yes") == ["drifted"]
    assert listed(admin_client, attention="yes") == ["drifted", "failed", "refused"]
    assert listed(admin_client, attention="no") == ["fine"]
    assert listed(admin_client, account=account.pk) == [failed.name]
    team = Team.objects.create(name="Ours")
    Site.objects.filter(pk=drifted.pk).update(team=team)
    assert listed(admin_client, team=team.pk) == [drifted.name]
    assert listed(admin_client, state="nonsense", account="x") == listed(admin_client)
    page = admin_client.get(SITES, {"drift": "no"}).content.decode()
    assert 'Live <span class="muted">2<' in page
    assert listed(admin_client, OPERATIONS, status="failed") == [
        "Provision fine",
        "Provision refused",
    ]


def test_a_list_takes_the_same_queries_for_3_and_for_30_rows(
    admin_client, django_assert_max_num_queries, django_assert_num_queries
):
    def fill(count: int) -> None:
        for _ in range(count):
            site = SiteFactory(live=True, serving=True)
            site.domains.create(name=f"{site.name}.example.com")
            DeploymentFactory(site=site, number=1, current=True, creator=UserFactory())
            OperationFactory(site=site, creator=UserFactory(), status=Operation.Status.SUCCESS)
            InvalidationFactory(site=site)

    fill(3)
    invalidations = reverse("admin:deployments_invalidation_changelist")
    pages = {SITES: 12, f"{SITES}?q=site": 13, DEPLOYMENTS: 6, OPERATIONS: 6, invalidations: 10}
    few = {}
    for url, most in pages.items():
        with django_assert_max_num_queries(most) as counted:
            admin_client.get(url)
        few[url] = len(counted)
    fill(27)
    for url, count in few.items():
        with django_assert_num_queries(count):
            admin_client.get(url)
