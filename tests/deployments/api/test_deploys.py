"""Deployments through the API: listed, followed, uploaded as archives, ended."""

from __future__ import annotations

import io
import zipfile
from unittest import mock

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from deployments import operations, tasks, uploads
from deployments.api import archives
from deployments.log import say
from deployments.models import Deployment, Scope
from tests.deployments.api.conftest import token
from tests.factories import DeploymentFactory, DomainFactory, SiteFactory
from tests.fakes import Killed

pytestmark = pytest.mark.django_db

State, Phase = Deployment.State, Deployment.Phase


def zipped(**files: str) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for path, content in files.items():
            archive.writestr(path, content)
    return data.getvalue()


ZIP = zipped(**{"index.html": "hello"})


@pytest.fixture
def delay(monkeypatch):
    delay = mock.create_autospec(tasks.deploy_upload.delay)
    monkeypatch.setattr(tasks.deploy_upload, "delay", delay)
    return delay


# --- Read -----------------------------------------------------------------------------------------


def test_the_list_goes_on_where_the_page_ended(call, site):
    for number in range(1, 8):
        DeploymentFactory(site=site, number=number)
    DeploymentFactory(site=SiteFactory(), number=9)
    seen: list[int] = []
    before: str | None = ""
    while before is not None:
        page = call("get", f"deployments?limit=3{before}", Scope.READ).json()
        seen += [row["number"] for row in page["items"]]
        before = page["next"] and f"&before={page['next']}"
    assert seen == [7, 6, 5, 4, 3, 2, 1]


def test_the_list_takes_the_same_queries_for_more_rows(
    call, site, django_assert_max_num_queries, django_assert_num_queries
):
    DeploymentFactory(site=site, number=1, current=True)
    headers = {"Authorization": f"Bearer {token(site, Scope.READ)}"}
    call("get", "deployments", headers=headers)  # its use is noted
    with django_assert_max_num_queries(8) as few:
        call("get", "deployments", headers=headers)
    for number in range(2, 12):
        DeploymentFactory(site=site, number=number)
    with django_assert_num_queries(len(few)):
        call("get", "deployments", headers=headers)


def test_one_says_where_it_is_served(call, site):
    DeploymentFactory(site=site, number=1, current=True, description="Spring")
    DeploymentFactory(site=site, number=2, state=State.FAILURE, error_message="Taken back.")
    one = call("get", "deployments/1", Scope.READ).json()
    assert (one["url"], one["message"]) == (f"https://d{site.short_uid}.cloudfront.net/", "Spring")
    two = call("get", "deployments/2", Scope.READ).json()
    assert (two["url"], two["error"]) == ("", "Taken back.")
    assert call("get", "deployments/3", Scope.READ).status_code == 404
    assert call("get", "", Scope.READ).json()["deployment"] == 1


def test_the_log_has_the_steps(call, site):
    DeploymentFactory(
        site=site,
        number=1,
        state=State.IN_PROGRESS,
        phase=Phase.SETTLE,
        timings={"upload": 1.5},
        uploaded=3,
        objects_total=3,
    )
    log = call("get", "deployments/1/log", Scope.READ).json()
    states = {step["phase"]: step["state"] for step in log["steps"]}
    assert states["upload"] == "done"
    assert states["settle"] == "in_progress"
    assert states["flip"] == "waiting"
    assert log["steps"][1]["seconds"] == 1.5
    assert (log["objects"], log["objects_total"]) == (3, 3)
    assert log["lines"] == []


def test_the_log_is_the_one_of_the_page(call, site):
    row = DeploymentFactory(site=site, number=1, state="in_progress", phase="upload")
    say(row, "Sent: 3 files.", "A \x1b[31mred one.", level="warning")
    first, second = call("get", "deployments/1/log", Scope.READ).json()["lines"]
    assert (first["phase"], first["level"], first["text"]) == (
        "upload",
        "warning",
        "Sent: 3 files.",
    )
    assert "\x1b" not in second["text"]
    following = call("get", f"deployments/1/log?after={first['id']}", Scope.READ).json()
    assert following["lines"] == [second]
    assert call("get", "deployments/1/log?after=-1", Scope.READ).status_code == 422


# --- Create by archive ----------------------------------------------------------------------------


def test_an_archive_is_the_body(call, site, delay, django_capture_on_commit_callbacks):
    path = "deployments?ref=main&message=Spring%09sale&author=Ada&sha=" + "a" * 40
    with django_capture_on_commit_callbacks(execute=True):
        response = call("post", path, Scope.DEPLOY, data=ZIP, content_type="application/zip")
    assert response.status_code == 202, response.content
    row = Deployment.objects.get()
    assert (row.ref, row.sha, row.author) == ("main", "a" * 40, "Ada")
    assert (row.trigger, row.environment) == ("api", "production")
    assert uploads.path_of(row).read_bytes() == ZIP
    delay.assert_called_once_with(row.pk)
    assert response.json()["state"] == "queued"


def test_an_archive_is_in_a_form(call, site, delay):
    file = SimpleUploadedFile("dist.zip", ZIP)
    response = call("post", "deployments", Scope.DEPLOY, data={"file": file})
    assert response.status_code == 202, response.content
    row = Deployment.objects.get()
    assert row.source == "dist.zip"
    assert uploads.path_of(row).read_bytes() == ZIP


def test_a_key_makes_one_deployment(call, site, delay):
    send = {
        "data": ZIP,
        "content_type": "application/zip",
        "headers": {"Idempotency-Key": "run 7"},
    }
    numbers = {call("post", "deployments", Scope.DEPLOY, **send).json()["number"] for _ in range(3)}
    assert numbers == {1}
    assert Deployment.objects.count() == 1


def test_an_archive_that_never_arrived_is_taken_from_the_next_request(
    call, site, delay, monkeypatch
):
    send = {"data": ZIP, "content_type": "application/zip", "headers": {"Idempotency-Key": "7"}}
    with monkeypatch.context() as dying:
        dying.setattr(uploads, "keep", mock.Mock(side_effect=Killed))
        with pytest.raises(Killed):
            call("post", "deployments", Scope.DEPLOY, **send)
    assert call("post", "deployments", Scope.DEPLOY, **send).status_code == 202
    row = Deployment.objects.get()
    assert uploads.path_of(row).read_bytes() == ZIP
    assert uploads.is_waiting(row)


def test_an_archive_that_did_not_fit_gives_its_key_back(call, site, delay, monkeypatch):
    send = {"data": ZIP, "content_type": "application/zip", "headers": {"Idempotency-Key": "7"}}
    with monkeypatch.context() as small:
        small.setattr(archives, "MOST_BYTES", 1)
        small.setattr(archives, "_judge", lambda request: None)
        assert call("post", "deployments", Scope.DEPLOY, **send).status_code == 413
    row = Deployment.objects.get()
    assert (row.state, list(uploads.path_of(row).parent.iterdir())) == (State.FAILURE, [])
    assert call("post", "deployments", Scope.DEPLOY, **send).json()["number"] == 2


def test_a_form_cannot_pass_for_a_manifest(call, site, delay):
    file = SimpleUploadedFile("manifest", ZIP)
    call("post", "deployments", Scope.DEPLOY, data={"file": file})
    row = Deployment.objects.get()
    row.claim(phase=Phase.UPLOAD, manifest=b"x")
    assert not operations.is_negotiated(row)


@pytest.fixture
def preview_domain(site) -> None:
    DomainFactory(site=site, name="*.preview.example.com")
    distribution = site.resources.get(logical_id="distribution")
    distribution.attributes["aliases"] = ["*.preview.example.com"]
    distribution.save()


@pytest.mark.usefixtures("preview_domain")
@pytest.mark.parametrize(
    ("asked", "label"),
    [("ref=feature/Login", "feature-login"), ("label=spring", "spring"), ("ref=a&label=b", "b")],
)
def test_a_preview_has_the_label_that_it_asked_for(call, site, delay, asked, label):
    path = f"deployments?environment=preview&{asked}"
    response = call("post", path, Scope.PREVIEW, data=ZIP, content_type="application/zip")
    assert response.status_code == 202, response.content
    assert response.json()["label"] == label


@pytest.mark.usefixtures("preview_domain")
def test_the_label_of_a_deployment_is_its_own(call, site, delay):
    path = "deployments?environment=preview&label=d5"
    response = call("post", path, Scope.PREVIEW, data=ZIP, content_type="application/zip")
    assert response.json()["label"].startswith("d5-")


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"{}", "application/json", 415),
        (b"x", "text/html", 415),
        (b"x", "", 415),
    ],
)
def test_what_is_no_archive_makes_no_row(call, site, body, content_type, status):
    response = call("post", "deployments", Scope.DEPLOY, data=body, content_type=content_type)
    assert (response.status_code, Deployment.objects.count()) == (status, 0)


def test_an_empty_body_is_no_archive(call, site):
    kind = "application/zip"
    response = call(
        "post", "deployments", Scope.DEPLOY, data=b"", content_type=kind, CONTENT_TYPE=kind
    )
    assert (response.status_code, Deployment.objects.count()) == (422, 0)


def test_an_archive_that_is_too_large_is_refused_before_it_is_read(call, site):
    response = call(
        "post",
        "deployments",
        Scope.DEPLOY,
        data=ZIP,
        content_type="application/zip",
        CONTENT_LENGTH=str(3 * 1024**3),
    )
    assert (response.status_code, Deployment.objects.count()) == (413, 0)


def test_a_preview_without_a_domain_for_it_is_refused(call, site):
    response = call(
        "post",
        "deployments?environment=preview",
        Scope.PREVIEW,
        data=ZIP,
        content_type="application/zip",
    )
    assert response.status_code == 409
    assert "--add-domain" in response.json()["detail"]


@pytest.mark.parametrize(
    "query", ["sha=xyz", "environment=staging", "label=A_B", "message=" + "x" * 501, "ref=%00"]
)
def test_options_are_judged(call, site, query):
    response = call(
        "post", f"deployments?{query}", Scope.DEPLOY, data=ZIP, content_type="application/zip"
    )
    assert response.status_code == 422
    assert response.json()["errors"][0]["where"].startswith("query.")


# --- End ------------------------------------------------------------------------------------------


def test_a_deployment_is_cancelled_once(call, site):
    DeploymentFactory(site=site, number=1, state=State.QUEUED, phase=Phase.QUEUE)
    response = call("post", "deployments/1/cancel", Scope.DEPLOY)
    assert (response.status_code, response.json()["state"]) == (202, "inactive")
    assert call("post", "deployments/1/cancel", Scope.DEPLOY).status_code == 409
