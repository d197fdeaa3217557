"""The public page: for who has its address, and nothing but statistics."""

from __future__ import annotations

import pytest
from django.urls import reverse

from sites.models import Kind, Site
from tests.factories import DeploymentFactory, DomainFactory, VisitDayFactory

TOKEN = "t" * 43


@pytest.fixture
def address(site):
    Site.objects.filter(pk=site.pk).update(visitors_token=TOKEN)
    return reverse("visitors", args=[TOKEN])


def test_it_shows_statistics_and_nothing_else(site, address, client, django_assert_max_num_queries):
    DeploymentFactory(site=site, served=True, description="Secret plans")
    VisitDayFactory(site=site, pageviews=4321, bots=999)
    VisitDayFactory(site=site, kind=Kind.PATH, value="/prices", pageviews=4321)
    VisitDayFactory(site=site, kind=Kind.DEPLOYMENT, value="17")
    VisitDayFactory(site=site, kind=Kind.LEFT_OUT, value="limit")
    with django_assert_max_num_queries(10):
        content = client.get(address).content.decode()
    assert "4,321" in content
    assert "/prices" in content
    for hidden in ("Secret plans", "Release", "999", "/sites/site/", "login", "htmx", "csrf"):
        assert hidden not in content


def test_it_is_named_after_the_site_or_its_domain(site, address, client):
    assert "Visitors of shop" in client.get(address).content.decode()
    DomainFactory(site=site, name="*.preview.shop.example")
    DomainFactory(site=site, name="www.shop.example", redirects=True)
    DomainFactory(site=site, name="shop.example")
    assert "Visitors of shop.example" in client.get(address).content.decode()


def test_it_is_kept_out_of_search_engines_and_makes_no_session(site, address, client):
    response = client.get(address)
    assert response["X-Robots-Tag"] == "noindex"
    assert '<meta name="robots" content="noindex">' in response.content.decode()
    assert not response.cookies
    assert "Cookie" not in response.get("Vary", "")
    assert response["Cache-Control"] == "public, max-age=60"


def test_ranges_can_be_chosen_and_wrong_ones_are_explained(address, client):
    assert client.get(address, {"range": "90d"}).context["asked"].words == "90d"
    assert "is no range" in client.get(address, {"range": "<b>"}).content.decode()
    assert "&lt;b&gt;" in client.get(address, {"range": "<b>"}).content.decode()


def test_it_can_only_be_looked_at(address, client):
    assert client.post(address).status_code == 405
    assert client.head(address).status_code == 200


@pytest.mark.parametrize("token", ["x" * 43, "x", TOKEN[1:], "-"])
def test_without_its_address_there_is_nothing(site, address, client, token):
    assert client.get(f"/visitors/{token}/").status_code == 404


@pytest.mark.parametrize("token", ["%00", "é", "a%20b"])
def test_what_no_address_can_be_leads_to_the_login(db, client, token):
    assert client.get(f"/visitors/{token}/").url.startswith("/login/")


def test_withdrawn_it_is_gone(site, address, client):
    Site.objects.filter(pk=site.pk).update(visitors_token="")
    assert client.get(address).status_code == 404
