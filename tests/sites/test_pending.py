"""What was saved and AWS was not told of yet is told on the page of the site."""

from __future__ import annotations

import pytest
from django.urls import reverse

from sites import operations, pending
from sites.models import Account, Operation, Site
from tests.factories import DomainFactory, OperationFactory, SiteFactory
from tests.sites.cloud import live_site, run

pytestmark = pytest.mark.django_db

HEADERS, FROM = "the headers of its answers", "where CloudFront answers from"


def test_it_is_told_until_it_is_provisioned(account: Account):
    site = live_site(account)
    assert pending.of_site(site) == []
    for headers in (Site.Headers.STRICT, Site.Headers.NONE):
        site.headers = headers
        site.save()
        assert pending.of_site(site) == [HEADERS]
        run(operations.request(site, Operation.Kind.PROVISION))
        assert pending.of_site(site) == []
    site.has_counter, site.price_class = True, Site.PriceClass.PRICE_CLASS_ALL
    DomainFactory(site=site, name="example.com")
    assert pending.of_site(site) == [FROM, "the visitor counter", "example.com joins"]


def test_the_overview_tells_it_unless_work_is_under_way(admin_client):
    site = SiteFactory(live=True, serving=True)
    row = site.resources.get(logical_id="distribution")
    row.inputs = {"aliases": ["old.example.com"], "price_class": site.price_class}
    row.save()
    page = reverse("admin:sites_site_change", args=[site.pk])
    said = "old.example.com leaves. The site goes on serving as it does."
    assert said in admin_client.get(page).content.decode()
    OperationFactory(site=site)
    assert said not in admin_client.get(page).content.decode()
