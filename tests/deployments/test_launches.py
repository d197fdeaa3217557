"""From a launch to its first release: by rows, once, and whoever is killed."""

from __future__ import annotations

import os
from datetime import timedelta

import pytest
from django.utils import timezone

from deployments import launches, operations, uploads
from deployments.errors import DeploymentRefused
from deployments.models import Deployment, Launch
from sites.models import Operation, Site
from tests.deployments.pushes.origin import make_origin
from tests.deployments.world import World
from tests.factories import LaunchFactory, OperationFactory
from tests.fakes import Killed

pytestmark = pytest.mark.django_db

State = Launch.State


@pytest.fixture(autouse=True)
def data_dir(settings, tmp_path):
    settings.DATA_DIR = tmp_path
    return tmp_path


@pytest.fixture
def launch(site: Site, world: World) -> Launch:
    return LaunchFactory(state=State.RUNNING, site=site, account=site.account, name=site.name)


def carried_on(launch: Launch) -> Launch:
    """As beat does, until there is nothing to do."""
    for _ in range(3):
        launches.advance(launch.pk)
        launch.refresh_from_db()
        if launch.deployment_id and uploads.run(launch.deployment_id):
            while operations.resume(launch.deployment_id) is not None:
                pass
    return launch


def test_the_files_follow_when_the_site_is_served(launch, site):
    Site.objects.update(state=Site.State.PROVISIONING)
    assert carried_on(launch).deployment is None
    Site.objects.update(state=Site.State.LIVE)
    done = carried_on(launch)
    assert done.deployment is not None
    assert done.deployment.is_published
    assert done.deployment.creator == launch.owner
    assert (done.state, Deployment.objects.count()) == (State.DONE, 1)


def test_it_is_not_done_while_its_operation_goes_on(launch, site):
    OperationFactory(site=site)
    assert carried_on(launch).state == State.RUNNING
    Operation.objects.update(status=Operation.Status.SUCCESS)
    assert carried_on(launch).state == State.DONE


def test_by_hand_publishing_waits_for_a_word(launch):
    Launch.objects.update(by_hand=True)
    assert carried_on(launch).deployment is None
    launch.refresh_from_db()
    launches.publish(launch)
    assert carried_on(launch).state == State.DONE


def test_a_site_without_files_is_done_when_it_answers(launch):
    Launch.objects.update(source=Launch.Source.NOTHING)
    assert carried_on(launch).state == State.DONE
    assert not Deployment.objects.exists()


@pytest.mark.parametrize("is_killed", [False, True])
def test_a_killed_worker_leaves_all_of_the_deployment_or_none(launch, monkeypatch, is_killed):
    keep = uploads.keep

    def killed(*args):
        keep(*args)
        raise Killed

    if is_killed:
        monkeypatch.setattr(uploads, "keep", killed)
        with pytest.raises(Killed):
            launches.advance(launch.pk)
        assert not Deployment.objects.exists()
        monkeypatch.setattr(uploads, "keep", keep)
    assert carried_on(launch).state == State.DONE
    assert [row.number for row in Deployment.objects.all()] == [1]


def test_a_repository_is_fetched_by_a_worker(launch, tmp_path, settings):
    settings.CLOUDADMIN_GIT_SCHEMES = ["file"]
    origin = make_origin(tmp_path)
    sha = origin.push({"public/index.html": "<title>Shop</title>", "README": "how"})
    Launch.objects.update(source=Launch.Source.GIT, git_url=f"{origin.url}#main:public")
    launches.advance(launch.pk)
    deployment = Deployment.objects.get()
    assert launches.is_fetching(deployment)
    assert launches.fetch(deployment.pk)
    while operations.resume(deployment.pk) is not None:
        pass
    deployment.refresh_from_db()
    assert (deployment.is_published, deployment.sha, deployment.files) == (True, sha, 1)
    assert not launches.is_fetching(deployment)


def test_what_nobody_carried_on_goes_after_a_week(launch, data_dir):
    folder = data_dir / "launches"
    folder.mkdir()
    old = timezone.now() - timedelta(days=8)
    for name in ("new", "left", "running", "killed", "arriving"):
        (folder / name).touch()
    os.utime(folder / "killed", (old.timestamp(), old.timestamp()))
    new, left = LaunchFactory(file="new"), LaunchFactory(file="left")
    Launch.objects.filter(pk=left.pk).update(updated_at=old)
    Launch.objects.filter(pk=launch.pk).update(updated_at=old, file="running")
    launches.expire()
    assert {path.name for path in folder.iterdir()} == {"new", "arriving"}
    assert {*Launch.objects.values_list("pk", "state")} == {
        (new.pk, State.DRAFT),
        (launch.pk, State.DONE),
    }


def test_a_file_that_arrives_after_the_launch_changes_nothing(launch):
    Launch.objects.update(file="good")
    launch.file = "good"
    with pytest.raises(DeploymentRefused, match="being made already"):
        launches.write(launch, file="late")
    launch.refresh_from_db()
    assert launch.file == "good"
