"""Killed between any two writes to the database or to AWS: what beat and workers make of it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from deployments import operations, publish, steps
from deployments.models import Deployment
from deployments.rollback import rollback, sites_with_unwritten_head, write_head
from sites.models import Site
from tests.deployments.world import finish, killed_at, served, wanted
from tests.fakes import Killed

pytestmark = pytest.mark.django_db(transaction=True)

State = Deployment.State


def converge(site: Site) -> None:
    """What beat and the workers make of what a killed process left."""
    Deployment.objects.exclude(lease_until=None).update(lease_until=timezone.now())
    active = Deployment.objects.filter(site=site, state__in=Deployment.ACTIVE)
    while deployment := active.first():
        operations.resume(deployment.pk)
    for unwritten in sites_with_unwritten_head():
        write_head(unwritten)


def test_killed_at_any_moment_after_its_upload_a_deployment_ends_published(site, world, begin):
    """At every call and every write between the upload and the end."""
    moment = 0
    while True:
        moment += 1
        deployment = begin({"a.html" if moment % 2 else "b.html": f"{moment}", "404.html": "?"})
        try:
            with killed_at(world, moment):
                finish(deployment)
        except Killed:
            converge(site)
        else:
            break
        deployment = Deployment.objects.get(pk=deployment.pk)
        assert (deployment.state, deployment.is_published) == (State.SUCCESS, True), moment
        assert served(site, world) == wanted(deployment), moment
        assert world.error_page.endswith("404.html")
        assert not sites_with_unwritten_head().exists()
    assert moment > 12


def test_killed_at_any_moment_a_deployment_that_is_found_wrong_is_taken_back(
    site, world, begin, deploy, monkeypatch
):
    monkeypatch.setattr(steps, "VERIFY_FOR", timedelta(0))
    good = deploy({"a.html": "good"})
    moment = 0
    while True:
        moment += 1
        deployment = begin({"a.html": f"{moment}"})
        world.is_broken = True
        try:
            with killed_at(world, moment):
                finish(deployment)
        except Killed:
            converge(site)
            is_over = False
        else:
            is_over = True
        world.is_broken = False
        converge(site)
        deployment = Deployment.objects.get(pk=deployment.pk)
        good.refresh_from_db()
        assert (deployment.state, deployment.is_published) == (State.FAILURE, False), moment
        assert "Taken back" in deployment.error_message
        assert good.is_published
        assert served(site, world) == wanted(good), moment
        if is_over:
            break
    assert moment > 12


def test_killed_at_any_moment_a_rollback_is_done_or_was_never_asked_for(site, world, deploy):
    old, new = deploy({"a.html": "old"}), deploy({"a.html": "new"})
    moment = 0
    while True:
        moment += 1
        before = publish.published(site)
        other = old if before == new else new
        try:
            with killed_at(world, moment):
                rollback(site, other.number)
        except Killed:
            converge(site)
        else:
            break
        row = publish.published(site)
        assert row is not None
        assert row in (old, new)
        assert served(site, world) == wanted(row), moment
    assert moment > 4
