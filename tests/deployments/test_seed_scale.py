"""Rows to try the dashboard on: they look real, and go away again; others' are left alone."""

from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from deployments.models import Deployment
from sites.models import Account, OverallDay, Resource, Site, Team, VisitDay
from tests.factories import DeploymentFactory, SiteFactory

INDEXES = "SELECT indexname FROM pg_indexes WHERE schemaname = 'public' ORDER BY indexname"


def seed(*options: str) -> str:
    out = StringIO()
    call_command("seed_scale", *options, stdout=out)
    return out.getvalue()


def indexes() -> object:
    with connection.cursor() as cursor:
        cursor.execute(INDEXES)
        return cursor.fetchall()


@pytest.mark.django_db(transaction=True)
def test_what_was_seeded_is_shown_and_goes_away_again(settings, admin_client):
    settings.AWS_ENDPOINT_URL = "http://127.0.0.1:9"
    before = indexes()
    seed("--sites", "90", "--deployments", "450", "--yes")
    assert (Site.objects.count(), Deployment.objects.count()) == (90, 450)
    assert indexes() == before
    live = Site.objects.filter(state="live")
    published = Deployment.objects.filter(is_published=True)
    assert published.count() == published.values("site").distinct().count() > 80
    assert {each.state for each in published} == {"success"}
    assert Deployment.objects.filter(state="failure").exists()
    assert Resource.objects.exclude(drift=[]).exists()
    assert VisitDay.objects.filter(site=live[0]).count() == 90
    assert OverallDay.objects.exists()
    for url in (
        "/",
        "/sites/site/",
        "/deployments/deployment/",
        f"/sites/site/{live[0].pk}/change/",
    ):
        assert admin_client.get(url).status_code == 200
    with pytest.raises(CommandError, match="filled before"):
        seed("--yes")
    SiteFactory()
    DeploymentFactory(site=live[0], number=1000)
    seed("--remove", "--yes")
    assert (Site.objects.count(), Account.objects.count(), Team.objects.count()) == (1, 1, 0)
    assert not Deployment.objects.exists()
    assert not OverallDay.objects.exists()
    with pytest.raises(CommandError, match="did not make: 1"):
        seed("--yes")


def test_nothing_is_seeded_without_a_yes_or_on_aws(settings):
    settings.AWS_ENDPOINT_URL = "http://127.0.0.1:9"
    with pytest.raises(CommandError, match="Give --yes"):
        seed()
    settings.AWS_ENDPOINT_URL = None
    with pytest.raises(CommandError, match="connected to AWS"):
        seed("--yes")
