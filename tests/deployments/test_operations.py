"""Outcomes of deployments: what the rows say is what is served, wherever a deployment ends."""

from __future__ import annotations

from unittest import mock

import pytest
from django.core.management import CommandError, call_command

from deployments import operations, publish
from deployments.management.commands import deploy_site
from deployments.models import Deployment, EdgeIndex
from deployments.rollback import sites_with_unwritten_head
from sites.access import clients_for
from sites.models import Site
from tests.factories import DeploymentFactory, SiteFactory
from tests.fakes import Killed

pytestmark = pytest.mark.django_db

State, Phase = Deployment.State, Deployment.Phase


@pytest.fixture
def site() -> Site:
    return SiteFactory(live=True, serving=True)


def verifying(site: Site, number: int) -> Deployment:
    """A deployment that the head names already."""
    EdgeIndex.objects.create(site=site, head_release=number)
    deployment = DeploymentFactory(site=site, number=number, state=State.QUEUED, phase=Phase.VERIFY)
    assert deployment.claim(state=State.IN_PROGRESS)
    return deployment


def test_a_release_that_fails_after_its_flip_is_taken_back(site):
    DeploymentFactory(site=site, number=1, current=True)
    operations.fail(verifying(site, 2), "AWS went away.")
    assert EdgeIndex.objects.get(site=site).head_release == 1
    assert site in sites_with_unwritten_head()


def test_a_first_release_that_fails_leaves_nothing_served(site):
    operations.fail(verifying(site, 1), "AWS went away.")
    assert EdgeIndex.objects.get(site=site).head_release is None
    assert site in sites_with_unwritten_head()


def test_a_release_that_fails_before_its_flip_changes_nothing(site):
    DeploymentFactory(site=site, number=1, current=True)
    EdgeIndex.objects.create(site=site, head_release=1)
    operations.fail(DeploymentFactory(site=site, number=2, state=State.QUEUED), "Broken.")
    assert site not in sites_with_unwritten_head()


def test_a_deployment_that_is_killed_at_its_end_can_be_continued(site, monkeypatch):
    deployment = verifying(site, 1)
    monkeypatch.setattr(publish, "check", mock.create_autospec(publish.check, return_value=None))
    killing = mock.create_autospec(operations.mark_published, side_effect=Killed)
    with monkeypatch.context() as patch:
        patch.setattr(operations, "mark_published", killing)
        with pytest.raises(Killed):
            operations.advance(deployment)
    left = Deployment.objects.get(pk=deployment.pk)
    assert (left.state, left.phase) == (State.IN_PROGRESS, Phase.VERIFY)
    assert operations.advance(left) is None
    left.refresh_from_db()
    assert (left.state, left.is_published) == (State.SUCCESS, True)


def test_a_command_whose_deployment_was_taken_over_says_so(site, monkeypatch, tmp_path):
    (tmp_path / "index.html").touch()

    def taken_over(deployment, *_):
        Deployment.objects.filter(pk=deployment.pk).update(fence=deployment.fence + 1)
        deployment.write(phase=Phase.INDEX)

    monkeypatch.setattr(operations, "upload", taken_over)
    monkeypatch.setattr(deploy_site, "clients_for", mock.create_autospec(clients_for))
    with pytest.raises(CommandError, match="site_status"):
        call_command("deploy_site", site.name, tmp_path)
    assert Deployment.objects.get(site=site).state == State.IN_PROGRESS
