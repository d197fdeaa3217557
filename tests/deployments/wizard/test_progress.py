"""The third screen: how far it is, step by step or by itself."""

from __future__ import annotations

import pytest
from django.urls import reverse
from django.utils import timezone

from deployments.models import Deployment, Launch
from sites import tasks
from sites.models import AuditEntry, Operation, Site
from tests.deployments.wizard.conftest import PLAN, page
from tests.factories import DeploymentFactory, LaunchFactory, OperationFactory, ResourceFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def running(admin_user) -> Launch:
    launch = LaunchFactory(running=True, owner=admin_user, plan=PLAN.as_json())
    OperationFactory(site=launch.site, status=Operation.Status.IN_PROGRESS)
    return launch


def at(launch: Launch, name: str = "progress") -> str:
    return reverse(f"new-site-{name}", args=[launch.pk])


def test_each_step_tells_how_far_it_is(admin_client, running, django_assert_max_num_queries):
    now = timezone.now()
    ResourceFactory(site=running.site, waiting_for="AWS", is_ready=False, waiting_since=now)
    with django_assert_max_num_queries(20):
        shown = page(admin_client, at(running))
    assert "0 of 3 steps are done" in shown
    assert "Waits for AWS" in shown
    assert "aws s3api create-bucket --bucket cloudadmin-blog" in shown
    assert 'hx-trigger="every 2s"' in shown
    running.site.resources.update(is_ready=True)
    assert "1 of 3 steps are done" in page(admin_client, at(running, "panel"))


def test_the_address_is_there_when_it_is_live(admin_client, running, settings):
    settings.CLOUDADMIN_EDGE_URL = "http://127.0.0.1:8080"
    Site.objects.update(state=Site.State.LIVE)
    ResourceFactory(site=running.site, logical_id="distribution", attributes={"domain_name": "d"})
    Launch.objects.update(deployment=DeploymentFactory(site=running.site))
    shown = page(admin_client, at(running))
    assert f"{running.site.name} is live" in shown
    assert f'data-copy="http://{running.site.name}.localhost:8080/"' in shown


def test_a_failure_is_told_and_can_be_tried_again(admin_client, running, run_operation):
    Operation.objects.update(status=Operation.Status.FAILURE, error_message="bucket: no rights")
    Site.objects.update(state=Site.State.PROVISIONING)
    assert "every 2s" in page(admin_client, at(running))  # the site was read before it failed
    Site.objects.update(state=Site.State.FAILED)
    shown = page(admin_client, at(running))
    assert "bucket: no rights" in shown
    assert "every 2s" not in shown
    for _ in range(2):
        admin_client.post(at(running, "act"), {"do": "retry"})
    assert Operation.objects.filter(status=Operation.Status.QUEUED).count() == 1
    assert "no rights" not in page(admin_client, at(running))


def test_where_a_part_failed_the_files_are_still_waited_for(admin_client, running):
    Operation.objects.update(status=Operation.Status.FAILURE, error_message="certificate: no CAA")
    Site.objects.update(state=Site.State.LIVE)
    assert "every 2s" in page(admin_client, at(running))
    deployment = DeploymentFactory(site=running.site, state=Deployment.State.IN_PROGRESS)
    Launch.objects.update(deployment=deployment)
    assert "every 2s" in page(admin_client, at(running, "panel"))
    Deployment.objects.update(state=Deployment.State.SUCCESS)
    shown = page(admin_client, at(running, "panel"))
    assert "is live, but a part of it stopped" in shown
    assert "every 2s" not in shown


def test_whose_first_files_were_overtaken_is_live(admin_client, running):
    overtaken = DeploymentFactory(site=running.site, state=Deployment.State.INACTIVE)
    Operation.objects.update(status=Operation.Status.SUCCESS)
    Site.objects.update(state=Site.State.LIVE)
    Launch.objects.update(deployment=overtaken, state=Launch.State.DONE)
    assert f"{running.site.name} is live" in page(admin_client, at(running))


def test_step_by_step_one_thing_is_asked_for_once(admin_client, running, monkeypatch):
    monkeypatch.setattr(tasks.run_operation, "delay", lambda pk: None)
    Launch.objects.update(by_hand=True)
    asked = {"what": "bucket", "why": "It is next.", "asks": "create", "todo": "Say so."}
    Operation.objects.update(by_hand=True, waits=[asked])
    assert "Do this step" in page(admin_client, at(running))
    answer = admin_client.post(
        at(running, "act"), {"do": "step", "step": "db_instance"}, follow=True
    )
    assert "That step is under way" in answer.content.decode()
    admin_client.post(at(running, "act"), {"do": "step", "step": "bucket"})
    assert Operation.objects.get().chosen == "bucket"
    shown = page(admin_client, at(running))
    assert "Do this step" not in shown
    assert "is-busy" in shown
    admin_client.post(at(running, "act"), {"do": "rest"})
    assert not Operation.objects.get().by_hand
    assert not Launch.objects.get().by_hand


def test_step_by_step_the_files_are_published_when_asked_for(admin_client, running, run_operation):
    Launch.objects.update(by_hand=True)
    Operation.objects.update(status=Operation.Status.SUCCESS)
    publish = {"do": "step", "step": "publish"}
    admin_client.post(at(running, "act"), publish)
    assert not Launch.objects.get().may_publish
    Site.objects.update(state=Site.State.LIVE)
    assert "Your files" in page(admin_client, at(running))
    admin_client.post(at(running, "act"), publish)
    assert Launch.objects.get().may_publish


def test_a_site_that_is_gone_is_said(admin_client, running):
    Launch.objects.update(site=None)
    assert "The site is gone" in page(admin_client, at(running))
    assert admin_client.post(at(running, "act"), {"do": "retry"}).status_code == 404


def test_a_deployment_that_failed_is_tried_again_as_a_new_one(
    admin_client, running, run_operation, django_capture_on_commit_callbacks
):
    Operation.objects.update(status=Operation.Status.SUCCESS)
    failed = DeploymentFactory(
        site=running.site, state=Deployment.State.FAILURE, error_message="The edge answered 500."
    )
    Launch.objects.update(deployment=failed)
    assert "The edge answered 500." in page(admin_client, at(running))
    with django_capture_on_commit_callbacks(execute=True):
        admin_client.post(at(running, "act"), {"do": "retry"})
    running.refresh_from_db()
    assert (running.deployment, running.attempt) == (None, 2)
    run_operation.assert_called_with("deployments.advance_launch", (running.pk,))


def test_how_far_it_is_fills_no_activity(admin_client, running):
    Launch.objects.filter(pk=running.pk).update(state=Launch.State.DONE, launched_at=timezone.now())
    assert AuditEntry.objects.filter(site_id=running.site.pk, table="deployments_launch").exists()
    said = admin_client.get(reverse("admin:sites_site_activity", args=[running.site.pk]))
    assert f"Added site {running.site.name}" in said.content.decode()
    assert "new site" not in said.content.decode().partition('class="timeline"')[2]
