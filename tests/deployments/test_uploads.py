"""Archives of any kind that came through the browser."""

from __future__ import annotations

import io
import tarfile

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from deployments import operations, uploads
from deployments.models import Deployment
from sites.models import Site
from tests.deployments.world import World
from tests.factories import UserFactory

pytestmark = pytest.mark.django_db

State, Phase = Deployment.State, Deployment.Phase


@pytest.fixture
def received(site: Site, world: World, settings, tmp_path) -> Deployment:
    settings.DATA_DIR = tmp_path
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:gz") as archive:
        member = tarfile.TarInfo("index.html")
        content = b"<title>Start</title>"
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    file = SimpleUploadedFile("shop.tar.gz", data.getvalue())
    return uploads.receive(site, file, message="Spring", creator=UserFactory())


def test_a_tar_is_deployed_by_a_worker(received):
    assert received.trigger == Deployment.Trigger.DASHBOARD
    assert uploads.is_waiting(received)
    assert uploads.run(received.pk)
    while operations.resume(received.pk) is not None:
        pass
    received.refresh_from_db()
    assert (received.state, received.is_published, received.files) == (State.SUCCESS, True, 1)
    assert not uploads.path_of(received).exists()


def test_what_was_cancelled_meanwhile_is_not_uploaded(received):
    operations.request_cancel(received)
    assert not uploads.run(received.pk)
    assert received.state == State.INACTIVE


def test_an_archive_that_kills_its_workers_is_given_up(received):
    Deployment.objects.update(attempts=operations.MAX_ATTEMPTS + 1)
    assert not uploads.run(received.pk)
    received.refresh_from_db()
    assert received.state == State.FAILURE
    assert not uploads.path_of(received).exists()
