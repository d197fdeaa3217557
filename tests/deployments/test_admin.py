"""Deploying, rolling back and invalidating from the dashboard, and the history of it."""

from __future__ import annotations

import io
import zipfile
from unittest import mock

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from deployments import operations, tasks, uploads
from deployments.admin import publishing
from deployments.admin.addresses import address_of, with_addresses
from deployments.errors import DeploymentRefused
from deployments.manifest import Entry, Manifest
from deployments.models import Deployment
from deployments.rollback import rollback as roll_back
from deployments.target import address
from deployments.upload import UploadError
from sites.models import Site
from tests.deployments.arrivals import received
from tests.factories import (
    DeploymentFactory,
    DomainFactory,
    InvalidationFactory,
    SiteFactory,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def site() -> Site:
    return SiteFactory(live=True, serving=True)


@pytest.fixture(autouse=True)
def data_dir(settings, tmp_path) -> None:
    settings.DATA_DIR = tmp_path


def action(site: Site, slug: str) -> str:
    return reverse(f"admin:sites_site_{slug}", args=[site.pk])


def page(site: Site) -> str:
    return reverse("admin:sites_site_change", args=[site.pk])


def zipped(files: dict[str, str]) -> SimpleUploadedFile:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for path, content in files.items():
            archive.writestr(path, content)
    return SimpleUploadedFile("shop.zip", data.getvalue())


def files(*paths: str) -> bytes:
    entry = Entry("0" * 64, 5, "text/html", "no-cache")
    return Manifest(dict.fromkeys(paths, entry)).to_bytes()


# --- Deploy an archive ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"not a zip", "is not an archive"), (b"Rar!\x1a\x07\x01\0", "is a RAR archive")],
)
def test_what_is_no_archive_is_refused_in_a_sentence(admin_client, site, content, said):
    file = SimpleUploadedFile("shop.zip", content)
    response = admin_client.post(action(site, "deploy"), {"file": file})
    assert said in response.content.decode()
    assert not Deployment.objects.exists()


def test_a_zip_waits_on_disk_for_a_worker(
    admin_client, admin_user, site, monkeypatch, django_capture_on_commit_callbacks
):
    delay = mock.create_autospec(tasks.deploy_upload.delay)
    monkeypatch.setattr(tasks.deploy_upload, "delay", delay)
    file = zipped({"index.html": "hello"})
    with django_capture_on_commit_callbacks(execute=True):
        response = admin_client.post(action(site, "deploy"), {"file": file, "message": "Spring"})
    deployment = Deployment.objects.get()
    assert response.url == f"/deployments/deployment/{deployment.pk}/change/"
    assert (deployment.number, deployment.description, deployment.creator) == (
        1,
        "Spring",
        admin_user,
    )
    assert zipfile.is_zipfile(uploads.path_of(deployment))
    delay.assert_called_once_with(deployment.pk)


def test_a_second_zip_is_taken_while_the_first_is_under_way(admin_client, site):
    DeploymentFactory(site=site, number=1, state="in_progress", phase="upload")
    admin_client.post(action(site, "deploy"), {"file": zipped({"index.html": ""})})
    assert Deployment.objects.get(number=2).state == Deployment.State.QUEUED


def test_a_worker_uploads_the_files_and_goes_on(site, monkeypatch):
    deployment = received(site, zipped({"index.html": "hello"}))
    sent = {}

    def upload(deployment, manifest, root, on_progress):
        sent.update({path: (root / path).read_text() for path in manifest.entries})
        deployment.write(phase=Deployment.Phase.INDEX)

    monkeypatch.setattr(operations, "upload", upload)
    delay = mock.create_autospec(tasks.resume_deployment.delay)
    monkeypatch.setattr(tasks.resume_deployment, "delay", delay)
    tasks.deploy_upload(deployment.pk)
    assert sent == {"index.html": "hello"}
    delay.assert_called_once_with(deployment.pk)
    assert not uploads.path_of(deployment).exists()
    deployment.refresh_from_db()
    assert not deployment.is_held
    # A second delivery finds nothing to do.
    tasks.deploy_upload(deployment.pk)
    delay.assert_called_once()


def test_a_refused_archive_ends_the_deployment_with_the_reason(site):
    deployment = received(site, zipped({"../outside.html": ""}))
    assert not uploads.run(deployment.pk)
    deployment.refresh_from_db()
    assert deployment.state == Deployment.State.FAILURE
    assert "outside.html" in deployment.error_message
    assert "shop.zip" in deployment.error_message
    assert not uploads.path_of(deployment).exists()


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (UploadError("index.html: AWS said SlowDown"), "SlowDown"),
        (DeploymentRefused("The site is not live yet."), "not live yet"),
        (ZeroDivisionError(), "cloudadmin itself failed"),
    ],
)
def test_an_upload_that_fails_says_why(site, monkeypatch, error, said):
    deployment = received(site, zipped({"index.html": "hello"}))
    monkeypatch.setattr(
        operations, "upload", mock.create_autospec(operations.upload, side_effect=error)
    )
    assert not uploads.run(deployment.pk)
    deployment.refresh_from_db()
    assert deployment.state == Deployment.State.FAILURE
    assert said in deployment.error_message


def test_files_that_no_worker_had_are_dropped_with_the_next_upload(site):
    first = received(site, zipped({"index.html": ""}))
    Deployment.objects.filter(pk=first.pk).update(state=Deployment.State.FAILURE)
    received(site, zipped({"index.html": ""}))
    assert not uploads.path_of(first).exists()


# --- Roll back and invalidate ---------------------------------------------------------------------


def test_earlier_published_deployments_can_be_published_again(admin_client, site, monkeypatch):
    DeploymentFactory(site=site, number=1, served=True, state="inactive", manifest=files("a", "b"))
    DeploymentFactory(site=site, number=2, state="failure", error_message="Taken back.")
    DeploymentFactory(site=site, number=3, current=True, manifest=files("b", "c", "d"))
    content = admin_client.get(page(site)).content.decode()
    assert "publish-1" in content
    assert "publish-2" not in content
    assert "publish-3" not in content
    rollback = mock.create_autospec(roll_back)
    rollback.return_value = Deployment.objects.get(number=1)
    monkeypatch.setattr(publishing, "rollback", rollback)
    confirm = admin_client.get(action(site, "rollback"), {"to": "1"}).content.decode()
    assert "deployment #1" in confirm
    assert "1 added, 2 deleted" in confirm
    rollback.assert_not_called()
    response = admin_client.post(action(site, "rollback"), {"to": "1"}, follow=True)
    assert rollback.call_args.args[:2] == (site, 1)
    assert "is served now" in response.content.decode()


def test_a_refused_rollback_is_said_on_the_page(admin_client, site):
    content = admin_client.post(action(site, "rollback")).content.decode()
    assert "no earlier deployment" in content


def test_paths_are_invalidated_on_a_page_of_their_own(admin_client, site):
    response = admin_client.get(action(site, "invalidate"))
    assert response.url == reverse("admin:deployments_invalidation_site", args=[site.pk])


def test_nothing_is_published_to_a_site_that_is_not_there(admin_client):
    draft = SiteFactory()
    content = admin_client.get(action(draft, "invalidate"), follow=True).content.decode()
    assert "not live yet" in content
    assert "action-deploy" not in admin_client.get(page(draft)).content.decode()


# --- History --------------------------------------------------------------------------------------


@pytest.mark.parametrize("factory", [DeploymentFactory, InvalidationFactory])
def test_history_is_read_only_and_errors_are_found(admin_client, factory):
    row = factory(error_message="Denied by AWS.")
    kind = f"admin:deployments_{type(row).__name__.lower()}"
    found = admin_client.get(reverse(f"{kind}_changelist"), {"q": "denied"}).content.decode()
    assert "Denied by AWS." in found
    url = reverse(f"{kind}_change", args=[row.pk])
    assert "Denied by AWS." in admin_client.get(url).content.decode()
    assert admin_client.post(url, {}).status_code == 403
    assert admin_client.get(reverse(f"{kind}_add")).status_code == 403


@pytest.mark.parametrize("factory", [DeploymentFactory, InvalidationFactory])
def test_history_takes_the_same_queries_for_more_rows(
    admin_client, django_assert_max_num_queries, django_assert_num_queries, factory
):
    kind = type(factory()).__name__.lower()
    url = reverse(f"admin:deployments_{kind}_changelist")
    factory()
    with django_assert_max_num_queries(14) as few:
        admin_client.get(url)
    for _ in range(12):
        factory()
    with django_assert_num_queries(len(few)):
        admin_client.get(url)


# --- Addresses ------------------------------------------------------------------------------------


@pytest.mark.parametrize("edge", [None, "http://127.0.0.1:8000", "http://edge"])
@pytest.mark.parametrize("aliases", [[], ["www.example.com"]])
def test_many_addresses_are_those_asked_for_one_by_one(settings, site, edge, aliases):
    settings.CLOUDADMIN_EDGE_URL = edge
    DomainFactory(site=site, name="www.example.com")
    site.resources.filter(logical_id="distribution").update(properties={"aliases": aliases})
    SiteFactory()
    for each in with_addresses(Site.objects.all()):
        assert address_of(each) == address(each)
