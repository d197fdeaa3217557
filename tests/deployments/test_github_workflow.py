"""The workflow file is one for GitHub, and its shell does what it says."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tarfile
from datetime import UTC, datetime
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from django.core.management import CommandError, call_command
from ruamel.yaml import YAML

from deployments import lane
from deployments.github_workflow import workflow
from deployments.models import Deployment
from deployments.progress import CANCELLED
from sites.errors import Refused
from tests.deployments.receiver import Receiver, Reply, Request
from tests.factories import RepositoryFactory, SiteFactory

pytestmark = pytest.mark.django_db

BIN = Path(sys.executable).parent
ADDRESS = "https://cloudadmin.example.com"


def parsed(text: str) -> dict[str, Any]:
    found: dict[str, Any] = YAML(typ="safe").load(text)
    return found


def job_of(text: str) -> dict[str, Any]:
    job: dict[str, Any] = parsed(text)["jobs"]["deploy"]
    return job


def test_the_file_has_the_shape_that_github_reads(tmp_path):
    file = tmp_path / "deploy.yml"
    file.write_text(workflow(SiteFactory(), ADDRESS, branch="release/2026"))
    for schema in ("vendor.github-workflows", "custom.github-workflows-require-timeout"):
        subprocess.run([BIN / "check-jsonschema", "--builtin-schema", schema, file], check=True)


def test_no_secret_is_stored_and_nothing_more_is_permitted():
    text = workflow(SiteFactory(), ADDRESS)
    assert "secrets." not in text
    assert parsed(text)["permissions"] == {"contents": "read", "id-token": "write"}


def test_actions_are_pinned_by_their_commit():
    text = workflow(SiteFactory(), ADDRESS)
    uses = re.findall(r"uses: (\S+) # v[\d.]+$", text, re.MULTILINE)
    assert len(uses) == text.count("uses:") == 1
    assert all(re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", each) for each in uses)


def test_no_value_of_github_is_written_into_a_shell_line():
    for step in job_of(workflow(SiteFactory(), ADDRESS))["steps"]:
        script = step.get("run", "")
        assert "${{" not in script
        subprocess.run(["bash", "-n"], input=script, text=True, check=True)


def test_branch_and_folder_are_the_repositorys():
    repository = RepositoryFactory(production_branch="live", folder="docs/out")
    text = workflow(repository.site, ADDRESS)
    assert parsed(text)["on"]["push"]["branches"] == ["live"]
    assert job_of(text)["env"]["FOLDER"] == "docs/out"


@pytest.mark.parametrize("branch", ["${{ secrets.X }}", "a\nb", 'a"', "a: b"])
def test_what_would_be_read_as_something_else_is_refused(branch):
    with pytest.raises(Refused, match="branch"):
        workflow(SiteFactory(), ADDRESS, branch=branch)


def test_the_command_prints_the_file():
    site, out = SiteFactory(), StringIO()
    call_command("github_workflow", site.name, address=f"{ADDRESS}/admin/", stdout=out)
    assert out.getvalue() == workflow(site, ADDRESS)
    with pytest.raises(CommandError, match="--address"):
        call_command("github_workflow", site.name, address="")


# --- Run, against an API of four answers ----------------------------------------------------------


class Api:
    def __init__(self, receiver: Receiver, ends_as: str, **more: object) -> None:
        self.receiver, self.ends_as, self.more = receiver, ends_as, more
        receiver.reply = self.reply

    def reply(self, request: Request) -> Reply:
        path, _, query = request.path.partition("?")
        if path == "/identity":
            assert parse_qs(query)["audience"] == [self.receiver.url]
            return self.json({"value": "identity"})
        if path == "/api/v1/oidc/exchange":
            assert request.json == {"site": "shop", "token": "identity"}
            return self.json({"token": "cad_1"}, 201)
        assert request.headers["authorization"] == "Bearer cad_1"
        if request.method == "POST":
            return self.json({"number": 12, "state": "queued"}, 202)
        return self.json(
            {
                "number": 12,
                "state": self.ends_as,
                "url": "https://shop.example.com/",
                "error": "",
                "files": 3,
                "uploaded": 1,
                "warnings": ["“a” is large.", "“b” is too."],
                "published_at": None,
                **self.more,
            }
        )

    def json(self, value: object, status: int = 200) -> Reply:
        return status, {"Content-Type": "application/json"}, json.dumps(value).encode()


MESSAGE = 'Spring & "summer" 100%\n\nMore.'


def run(
    receiver: Receiver, folder: Path, message: str = MESSAGE
) -> tuple[subprocess.CompletedProcess[str], str]:
    """The shell of every step, one after the other, as GitHub runs it; and the job's summary."""
    job = job_of(workflow(SiteFactory(name="shop"), receiver.url, folder="public"))
    (folder / "public").mkdir()
    (folder / "public" / "index.html").write_text("hello")
    summary = folder / "summary"
    environment = {
        "PATH": os.pathsep.join([str(BIN), os.environ["PATH"]]),
        **job["env"],
        "RUNNER_TEMP": str(folder),
        "GITHUB_STEP_SUMMARY": str(summary),
        "GITHUB_REF_NAME": "main",
        "GITHUB_SHA": "a" * 40,
        "GITHUB_ACTOR": "dependabot[bot]",
        "GITHUB_RUN_ID": "77",
        "GITHUB_RUN_ATTEMPT": "1",
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "runner",
        "ACTIONS_ID_TOKEN_REQUEST_URL": f"{receiver.url}/identity?api-version=2.0",
        "MESSAGE": message,
        "PAUSE": "0",
    }
    for step in job["steps"]:
        done = subprocess.run(
            ["bash", "-c", step.get("run", "true")],
            env=environment,
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            break
    return done, summary.read_text() if summary.exists() else ""


def test_a_run_packs_uploads_waits_and_tells(receiver, tmp_path):
    Api(receiver, "success")
    done, summary = run(receiver, tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Deployment #12: **success** https://shop.example.com/" in summary
    assert "3 files, 1 of them new. “a” is large. “b” is too." in summary
    upload = next(r for r in receiver.requests if "/deployments?" in r.path)
    path, _, query = upload.path.partition("?")
    assert path == "/api/v1/sites/shop/deployments"
    assert parse_qs(query) == {
        "ref": ["main"],
        "sha": ["a" * 40],
        "author": ["dependabot[bot]"],
        "message": ['Spring & "summer" 100%'],
    }
    assert upload.headers["idempotency-key"] == "77-1"
    assert upload.headers["content-type"] == "application/gzip"
    with tarfile.open(fileobj=BytesIO(upload.body)) as archive:
        assert "./index.html" in archive.getnames()
    for secret in ("identity", "cad_1"):
        assert f"::add-mask::{secret}\n" in done.stdout


def test_a_failed_deployment_fails_the_job_with_the_reason(receiver, tmp_path):
    Api(receiver, "failure", error="AWS said SlowDown.")
    done, summary = run(receiver, tmp_path)
    assert done.returncode == 1
    assert "AWS said SlowDown." in summary
    assert "::error::Deployment #12 ended as failure." in done.stdout


OVERTAKEN = lane.overtaken(Deployment(number=13, published_at=datetime(2026, 7, 1, tzinfo=UTC)))


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"error": OVERTAKEN}, 0),
        ({"error": "", "published_at": "2026-07-01T00:00:00Z"}, 0),
        ({"error": CANCELLED}, 1),
    ],
)
def test_who_is_inactive_was_overtaken_or_was_never_deployed(receiver, tmp_path, more, code):
    Api(receiver, "inactive", **more)
    done, summary = run(receiver, tmp_path)
    assert done.returncode == code, done.stderr
    assert more["error"] in summary
    assert ("::error::Deployment #12 ended as inactive." in done.stdout) == bool(code)


def test_of_a_message_the_first_line_is_sent_as_the_api_takes_it(receiver, tmp_path):
    Api(receiver, "success")
    done, _ = run(receiver, tmp_path, "Spring\t\x1b100%\r\n\r\nMore.")
    assert done.returncode == 0, done.stderr
    upload = next(r for r in receiver.requests if "/deployments?" in r.path)
    assert parse_qs(upload.path.partition("?")[2])["message"] == ["Spring  100%"]


def test_git_curl_bash_and_python_are_all_it_needs():
    for step in job_of(workflow(SiteFactory(), ADDRESS))["steps"]:
        assert not re.search(r"\b(?:jq|yq|node)\b", step.get("run", ""))


def test_what_the_api_refuses_is_said(receiver, tmp_path):
    api = Api(receiver, "success")

    def refuse(request: Request) -> Reply:
        if request.path == "/api/v1/oidc/exchange":
            return api.json({"detail": "“acme/shop” is not trusted."}, 403)
        return api.reply(request)

    receiver.reply = refuse
    done, _ = run(receiver, tmp_path)
    assert done.returncode == 1
    assert "is not trusted" in done.stdout
