"""The demo site at every start: made once, and deployed when there is something new to see."""

from __future__ import annotations

from unittest import mock

import pytest
from django.core.management import call_command

from cloudadmin.management.commands import bring_up_demo
from cloudadmin.management.commands.bring_up_demo import FOLDER
from deployments import lane, manifest
from deployments.manifest import Manifest
from deployments.models import Deployment
from sites import operations
from sites.models import Site
from sites.provisioning.plan import Create, Plan
from tests.factories import AccountFactory, DeploymentFactory, SiteFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def plan(monkeypatch):
    planned = mock.create_autospec(operations.plan, return_value=Plan())
    monkeypatch.setattr(operations, "plan", planned)
    return planned


@pytest.fixture
def called(monkeypatch):
    """The commands that it ran; those that need AWS are not run."""

    def run(name: str, *arguments: str) -> None:
        names.append(name)
        if name == "create_site":
            call_command(name, *arguments, verbosity=0)

    names: list[str] = []
    monkeypatch.setattr(bring_up_demo, "call_command", run)
    return names


@pytest.fixture
def published():
    site = SiteFactory(name="demo", live=True)
    content = manifest.build(FOLDER).to_bytes()
    return DeploymentFactory(site=site, current=True, source=str(FOLDER), manifest=content)


def test_the_first_time_everything_is_made(called, plan):
    AccountFactory()
    call_command("bring_up_demo")
    assert called == ["create_site", "provision_site", "deploy_site"]
    assert Site.objects.get().name == "demo"


def test_what_is_there_already_is_not_made_again(called, plan, published):
    call_command("bring_up_demo")
    assert called == []


def test_what_is_not_as_it_should_be_is_provisioned(called, plan, published):
    plan.return_value = Plan((Create("bucket", "bucket", "demo"),))
    call_command("bring_up_demo")
    assert called == ["provision_site"]


def test_new_content_is_deployed(called, plan, published):
    Deployment.objects.update(manifest=Manifest({}).to_bytes())
    call_command("bring_up_demo")
    assert called == ["deploy_site"]


@pytest.mark.parametrize("why", ["deployed", "rolled back"])
def test_what_a_person_wants_there_stays(called, plan, published, why):
    Deployment.objects.update(manifest=Manifest({}).to_bytes())
    if why == "deployed":
        Deployment.objects.update(source="/home/me/public")
    else:
        lane.hold(published.site, "rolled back to #1")
    call_command("bring_up_demo")
    assert called == []
