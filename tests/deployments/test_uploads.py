"""Archives of any kind that came through the browser."""

from __future__ import annotations

import io
import tarfile

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from deployments import operations, uploads
from deployments.files.injection import SNIPPET
from deployments.models import Deployment
from sites.models import Site
from tests.deployments.arrivals import received
from tests.deployments.world import World

pytestmark = pytest.mark.django_db

State, Phase = Deployment.State, Deployment.Phase


@pytest.fixture
def deployment(site: Site, world: World, settings, tmp_path) -> Deployment:
    settings.DATA_DIR = tmp_path
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:gz") as archive:
        member = tarfile.TarInfo("index.html")
        content = b"<html>"
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    file = SimpleUploadedFile("shop.tar.gz", data.getvalue())
    return received(site, file)


@pytest.mark.parametrize("injects", [False, True])
def test_a_tar_is_deployed_by_a_worker(deployment, injects):
    Site.objects.update(injects_snippet=injects)
    assert deployment.trigger == Deployment.Trigger.DASHBOARD
    assert uploads.is_waiting(deployment)
    assert uploads.run(deployment.pk)
    while operations.resume(deployment.pk) is not None:
        pass
    deployment.refresh_from_db()
    assert (deployment.state, deployment.is_published, deployment.files) == (State.SUCCESS, True, 1)
    assert deployment.bytes == len(b"<html>") + injects * len(SNIPPET)
    assert not uploads.path_of(deployment).exists()


def test_what_was_cancelled_meanwhile_is_not_uploaded(deployment):
    operations.request_cancel(deployment)
    assert not uploads.run(deployment.pk)
    assert deployment.state == State.INACTIVE


def test_an_archive_that_kills_its_workers_is_given_up(deployment):
    Deployment.objects.update(attempts=operations.MAX_ATTEMPTS + 1)
    assert not uploads.run(deployment.pk)
    deployment.refresh_from_db()
    assert deployment.state == State.FAILURE
    assert not uploads.path_of(deployment).exists()
