"""Deploying by manifest, against a real bucket: only what is missing, and only those bytes."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from unittest import mock

import httpx
import pytest
from django.utils import timezone

from deployments import operations, tasks
from deployments.api import manifests, negotiation
from deployments.manifest import Manifest
from deployments.models import Deployment, Scope
from sites.models.lease import LeaseLost
from tests.fakes import Killed
from tests.localcloud import http

pytestmark = pytest.mark.django_db

State, Phase = Deployment.State, Deployment.Phase
FILES = {
    "index.html": b"<h1>Hello</h1>",
    "css/site.css": b"body { color: red }",
    "über uns/a+b~c %41.txt": b"",
    "app.wasm": b"\0asm" * 1000,
}


@pytest.fixture
def bucket(site, settings, ministack, clients) -> str:
    settings.AWS_ENDPOINT_URL = ministack
    name: str = site.resources.get(logical_id="bucket").physical_id
    clients.s3.create_bucket(Bucket=name)
    return name


@pytest.fixture
def resume(monkeypatch):
    delay = mock.create_autospec(tasks.resume_deployment.delay)
    monkeypatch.setattr(tasks.resume_deployment, "delay", delay)
    return delay


def manifest(files: dict[str, bytes], **options) -> dict:
    listed = [
        {"path": path, "sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
        for path, content in files.items()
    ]
    return {"files": listed, **options}


def put(upload: dict, content: bytes) -> httpx.Response:
    return http.put(upload["url"], headers=upload["headers"], content=content)


def test_what_is_missing_is_sent_and_published(
    call, site, bucket, clients, resume, django_capture_on_commit_callbacks
):
    rules = "/css/*\n  X-Robots-Tag: noindex\n  Content-Language: de"
    body = manifest(FILES, headers=rules, redirects="/old /new 301", ref="main", message="Spring")
    answer = call("post", "manifests", Scope.DEPLOY, json=body)
    assert answer.status_code == 201, answer.content
    uploads = {upload["path"]: upload for upload in answer.json()["uploads"]}
    assert uploads.keys() == FILES.keys()
    assert answer.json()["next"] is None
    assert answer.json()["deployment"]["objects_total"] == 4
    refused = call("post", "deployments/1/finalize", Scope.DEPLOY)
    assert refused.status_code == 409
    assert refused.json()["missing"] == sorted(FILES)
    for path, content in FILES.items():
        response = put(uploads[path], content)
        assert response.status_code == 200, response.text
    left = call("get", "deployments/1/uploads", Scope.DEPLOY).json()
    assert left["uploads"] == []
    with django_capture_on_commit_callbacks(execute=True):
        done = call("post", "deployments/1/finalize", Scope.DEPLOY)
    assert done.status_code == 202, done.content
    assert done.json()["phase"] == "queue"
    row = Deployment.objects.get()
    resume.assert_called_once_with(row.pk)
    assert (row.files, row.uploaded, row.unchanged, row.is_held) == (4, 4, 0, False)
    stored = Manifest.from_bytes(bytes(row.manifest))
    assert stored.redirects[0].target == "/new"
    key = f"objects/{stored.entries['css/site.css'].hash}/css/site.css"
    head = clients.s3.head_object(Bucket=bucket, Key=key)
    assert head["ContentType"] == "text/css; charset=utf-8"
    assert head["ContentLanguage"] == "de"
    assert head["Metadata"] == {"headers": '{"x-robots-tag":"noindex"}'}
    assert call("post", "deployments/1/finalize", Scope.DEPLOY).status_code == 202
    # The next one sends what changed alone.
    changed = {**FILES, "index.html": b"<h1>Bye</h1>"}
    answer = call("post", "manifests", Scope.DEPLOY, json=manifest(changed, headers=rules)).json()
    assert [upload["path"] for upload in answer["uploads"]] == ["index.html"]


@pytest.mark.parametrize("has_counter", [True, False])
def test_pages_are_published_as_they_are_sent(call, site, bucket, has_counter):
    site.injects_snippet, site.has_counter = True, has_counter
    site.save()
    answer = call("post", "manifests", Scope.DEPLOY, json=manifest(FILES)).json()
    told = [warning for warning in answer["deployment"]["warnings"] if "visits.js" in warning]
    assert len(told) == has_counter
    for upload in answer["uploads"]:
        assert put(upload, FILES[upload["path"]]).status_code == 200
    assert call("post", "deployments/1/finalize", Scope.DEPLOY).status_code == 202


def test_other_bytes_do_not_fit(call, site, bucket):
    files = {"index.html": b"right"}
    (upload,) = call("post", "manifests", Scope.DEPLOY, json=manifest(files)).json()["uploads"]
    assert put(upload, b"wrong").status_code == 400
    assert call("post", "deployments/1/finalize", Scope.DEPLOY).status_code == 409
    assert "x-amz-checksum-sha256" in upload["url"].partition("X-Amz-SignedHeaders=")[2]
    for name in ("cache-control", "content-length", "content-type"):
        assert name in upload["url"].partition("X-Amz-SignedHeaders=")[2]


def test_pages_follow_one_another(call, site, bucket, monkeypatch):
    monkeypatch.setattr(negotiation, "PAGE", 10)
    monkeypatch.setattr(negotiation, "LOOKED_AT", 25)
    files = {"index.html": b"0", **{f"{n:03}.txt": str(n).encode() for n in range(60)}}
    answer = call("post", "manifests", Scope.DEPLOY, json=manifest(files)).json()
    seen = []
    while True:
        assert len(answer["uploads"]) <= 10
        seen += [upload["path"] for upload in answer["uploads"]]
        for upload in answer["uploads"]:
            assert put(upload, files[upload["path"]]).status_code == 200
        if answer["next"] is None:
            break
        path = f"deployments/1/uploads?after={answer['next']}"
        answer = call("get", path, Scope.DEPLOY).json()
    assert seen == sorted(files)
    assert call("post", "deployments/1/finalize", Scope.DEPLOY).status_code == 202


def test_a_client_that_comes_again_is_asked_for_the_rest(call, site, bucket):
    first = call("post", "manifests", Scope.DEPLOY, json=manifest(FILES)).json()
    for upload in first["uploads"][:3]:
        put(upload, FILES[upload["path"]])
    again = call("post", "manifests", Scope.DEPLOY, json=manifest(FILES)).json()
    assert again["deployment"]["number"] == 2
    assert [u["path"] for u in again["uploads"]] == [u["path"] for u in first["uploads"]][3:]


def test_a_client_that_stays_away_loses_its_deployment(call, site, bucket):
    call("post", "manifests", Scope.DEPLOY, json=manifest(FILES))
    row = Deployment.objects.get()
    assert row.is_held
    assert operations.resume(row.pk) is None
    row.refresh_from_db()
    assert row.state == State.IN_PROGRESS
    Deployment.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    operations.resume(row.pk)
    row.refresh_from_db()
    assert row.state == State.FAILURE
    assert call("post", "deployments/1/finalize", Scope.DEPLOY).json()["state"] == "failure"
    assert call("get", "deployments/1/uploads", Scope.DEPLOY).status_code == 409


def test_a_client_can_cancel_what_it_began(call, site, bucket):
    call("post", "manifests", Scope.DEPLOY, json=manifest(FILES))
    assert call("post", "deployments/1/cancel", Scope.DEPLOY).json()["state"] == "inactive"
    assert call("get", "deployments/1/uploads", Scope.DEPLOY).status_code == 409


def test_a_person_can_cancel_what_a_client_began(call, site, bucket):
    call("post", "manifests", Scope.DEPLOY, json=manifest(FILES))
    late = Deployment.objects.get()
    operations.request_cancel(Deployment.objects.get())
    row = Deployment.objects.get()
    assert (row.state, row.lease_until) == (State.INACTIVE, None)
    with pytest.raises(LeaseLost):
        negotiation.uploads(late)


def test_a_request_that_comes_too_late_holds_nobody_up(call, site, bucket, monkeypatch):
    """It read the row before another request finalized it."""
    answer = call("post", "manifests", Scope.DEPLOY, json=manifest(FILES)).json()
    for upload in answer["uploads"]:
        put(upload, FILES[upload["path"]])
    late = Deployment.objects.get()
    assert call("post", "deployments/1/finalize", Scope.DEPLOY).status_code == 202
    before = Deployment.objects.values().get()
    monkeypatch.setattr(manifests, "_own", lambda *_: late)
    assert call("get", "deployments/1/uploads", Scope.DEPLOY).status_code == 409
    again = call("post", "deployments/1/finalize", Scope.DEPLOY)
    assert (again.status_code, again.json()["phase"]) == (202, "queue")
    assert Deployment.objects.values().get() == before


def test_a_request_that_died_before_it_held_the_row_is_sent_again(call, site, bucket, monkeypatch):
    send = {"json": manifest(FILES), "headers": {"Idempotency-Key": "run 7"}}
    with monkeypatch.context() as dying:
        dying.setattr(negotiation, "hold", mock.Mock(side_effect=Killed))
        with pytest.raises(Killed):
            call("post", "manifests", Scope.DEPLOY, **send)
    answer = call("post", "manifests", Scope.DEPLOY, **send)
    assert answer.status_code == 201, answer.content
    assert len(answer.json()["uploads"]) == 4
    assert Deployment.objects.count() == 1


def test_a_key_begins_one_deployment(call, site, bucket):
    send = {"json": manifest(FILES), "headers": {"Idempotency-Key": "run 7"}}
    for _ in range(2):
        answer = call("post", "manifests", Scope.DEPLOY, **send).json()
        assert len(answer["uploads"]) == 4
    assert Deployment.objects.count() == 1


GITHUB_TOKEN = b"ghp_" + b"aB3dE5fG7hJ9kL2mN4pQ6rS8tU1vW3xY5zA7"


@pytest.mark.parametrize(
    ("path", "content", "said"),
    [
        ("a.key", b"-----BEGIN RSA PRIVATE KEY-----\nx", "private key"),
        ("js/app.js", b"let a;\nconst token = '" + GITHUB_TOKEN + b"'", "line 2"),
    ],
)
def test_a_secret_is_refused_when_it_has_arrived(call, site, bucket, path, content, said):
    files = {"index.html": b"", path: content}
    answer = call("post", "manifests", Scope.DEPLOY, json=manifest(files)).json()
    for upload in answer["uploads"]:
        put(upload, files[upload["path"]])
    refused = call("post", "deployments/1/finalize", Scope.DEPLOY)
    assert refused.status_code == 422
    assert path in refused.json()["detail"]
    assert said in refused.json()["detail"]
    assert call("get", "deployments/1", Scope.DEPLOY).json()["state"] == "failure"
    call("post", "manifests", Scope.DEPLOY, json=manifest(files, allow=[path]))
    assert call("post", "deployments/2/finalize", Scope.DEPLOY).status_code == 202


def test_pages_read_the_manifest_once(call, site, bucket, monkeypatch):
    monkeypatch.setattr(negotiation, "PAGE", 10)
    files = {"index.html": b"0", **{f"{n:03}.txt": b"" for n in range(25)}}
    answer = call("post", "manifests", Scope.DEPLOY, json=manifest(files)).json()
    reading = mock.create_autospec(Manifest.from_bytes)
    monkeypatch.setattr(Manifest, "from_bytes", reading)
    path = f"deployments/1/uploads?after={answer['next']}"
    assert len(call("get", path, Scope.DEPLOY).json()["uploads"]) == 10
    reading.assert_not_called()


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (manifest({"about.html": b""}), "index.html"),
        (manifest({"index.html": b"", ".env": b""}), ".env"),
        (manifest({"index.html": b"", "../x": b""}), ".."),
        (manifest({"index.html": b"", "INDEX.html": b""}), "INDEX.html"),
        (manifest({"index.html": b"", "_headers": b""}), "headers"),
        (manifest({"index.html": b""}, redirects="/a /b 999"), "line 1"),
        (manifest({"index.html": b""}, headers="/*\n  Connection: close"), "line 2"),
        (manifest({"index.html": b""}, environment="staging"), "environment"),
        ({"files": [{"path": "index.html", "sha256": "x", "size": -1}]}, "body.files.0.sha256"),
        ({"files": []}, "body.files"),
        ({}, "body.files"),
        ([], "body"),
    ],
)
def test_what_is_wrong_is_said_and_makes_no_row(call, site, body, said):
    response = call("post", "manifests", Scope.DEPLOY, json=body)
    assert response.status_code == 422, response.content
    assert said in response.json()["detail"]
    assert not Deployment.objects.exists()


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"{}", "text/plain", 415),
        (b"{", "application/json", 422),
        (b'{"files": "\xff"}', "application/json", 422),
        (b" " * (40 * 1024 * 1024 + 1), "application/json", 413),
    ],
    ids=["no JSON", "half", "no UTF-8", "too large"],
)
def test_bodies_that_are_none(call, site, body, content_type, status):
    response = call("post", "manifests", Scope.DEPLOY, data=body, content_type=content_type)
    assert response.status_code == status
