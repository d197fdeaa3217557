"""Which failed deployments need a person: those that nothing later has made up for."""

from __future__ import annotations

from typing import Any

import pytest
from django.urls import reverse

from deployments.models import Deployment
from tests.deployments.endings import ended
from tests.factories import SiteFactory

pytestmark = pytest.mark.django_db
State, Environment = Deployment.State, Deployment.Environment


@pytest.fixture
def site() -> Any:
    return SiteFactory(name="shop", live=True, serving=True)


def needing() -> list[int]:
    rows = Deployment.objects.filter(needs_attention=True).order_by("number")
    return [*rows.values_list("number", flat=True)]


def test_a_failed_one_needs_a_person_until_a_later_one_succeeds(site):
    ended(site, 1, State.FAILURE)
    assert needing() == [1]
    ended(site, 2, State.INACTIVE)
    assert needing() == [1]
    ended(site, 3, State.SUCCESS)
    assert needing() == []


def test_the_list_of_sites_says_it_at_the_row(site, admin_client):
    sites = reverse("admin:sites_site_changelist")
    assert "Deployment failed" not in admin_client.get(sites).content.decode()
    ended(site, 1, State.FAILURE)
    assert "Deployment failed" in admin_client.get(sites).content.decode()


def test_of_several_the_last_one_does_whichever_ended_first(site):
    ended(site, 1, State.FAILURE)
    ended(site, 3, State.ERROR)
    ended(site, 2, State.FAILURE)
    assert needing() == [3]


def test_one_that_fails_after_a_later_one_succeeded_needs_nobody(site):
    ended(site, 2, State.SUCCESS)
    ended(site, 1, State.FAILURE)
    assert needing() == []


def test_a_preview_does_not_make_up_for_what_visitors_miss(site):
    ended(site, 1, State.FAILURE)
    ended(site, 2, State.SUCCESS, environment=Environment.PREVIEW)
    ended(SiteFactory(), 3, State.SUCCESS)
    assert needing() == [1]


@pytest.mark.parametrize("first", [1, 2])
def test_what_is_published_makes_up_for_a_preview_that_failed_before(site, first):
    """Its branch may be gone, and nothing else of it will ever be deployed."""
    rows = {1: (State.FAILURE, Environment.PREVIEW), 2: (State.SUCCESS, Environment.PRODUCTION)}
    for number in (first, 3 - first):
        state, environment = rows[number]
        ended(site, number, state, environment=environment)
    assert needing() == []
