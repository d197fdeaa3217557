"""``deploy_site`` and its relatives, as a person and as a program read them."""

from __future__ import annotations

import json
import time
from io import StringIO
from pathlib import Path
from unittest import mock

import pytest
from django.core.management import CommandError, call_command

from deployments import lane, operations, steps
from deployments.files.injection import SNIPPET
from deployments.management import reporting
from deployments.management.commands import deploy_site
from deployments.manifest import object_key
from deployments.models import Deployment
from deployments.publish import manifest_of
from deployments.upload import UploadError
from tests.deployments.world import World, served, wanted

pytestmark = pytest.mark.django_db

State, Phase = Deployment.State, Deployment.Phase


@pytest.fixture(autouse=True)
def commands(world: World, monkeypatch: pytest.MonkeyPatch, settings, tmp_path: Path) -> None:
    settings.DATA_DIR = tmp_path / "data"
    monkeypatch.setattr(deploy_site, "clients_for", lambda account: world)
    monkeypatch.setattr(time, "sleep", mock.create_autospec(time.sleep))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "public"
    folder.mkdir()
    (folder / "index.html").write_text("<title>Start</title>")
    return folder


def run(*arguments: object) -> str:
    out = StringIO()
    call_command(*map(str, arguments), stdout=out, stderr=StringIO())
    return out.getvalue()


def test_a_deployment_in_words(site, folder):
    said = run("deploy_site", site.name, folder)
    assert "#1: Indexing" in said
    assert said.count("  Sent: 1 file,") == 1
    assert "  Asked the edge for 1 path: all as deployed.\nDeployment #1" in said
    assert "Deployment #1 is live at" in said
    assert "1 uploaded, 0 unchanged, 0 deleted" in said


def test_a_deployment_as_one_object(site, folder):
    result = json.loads(run("deploy_site", site.name, folder, "--json"))
    assert result.keys() >= {
        *("number", "state", "uploaded", "unchanged"),
        *("deleted", "bytes", "url", "seconds"),
    }
    assert (result["number"], result["state"], result["published"]) == (1, "success", True)


def test_a_deployment_as_lines_of_json(site, folder, monkeypatch):
    monkeypatch.setattr(reporting, "EVERY_SECONDS", 0.0)
    lines = [
        json.loads(line)
        for line in run("deploy_site", site.name, folder, "--json-lines").splitlines()
    ]
    phases = [line["phase"] for line in lines[:-1]]
    assert [*dict.fromkeys(phases)] == ["upload", "index", "settle", "flip", "verify"]
    assert any(line.get("total_files") == 1 for line in lines)
    assert {"number": 1, "phase": "upload", "level": "info"}.items() <= next(
        line.items() for line in lines if "text" in line
    )
    assert lines[-1]["state"] == "success"


def test_a_dry_run_does_nothing(site, folder):
    assert "+ index.html" in run("deploy_site", site.name, folder, "--dry-run")
    assert not Deployment.objects.exists()


def test_the_counters_snippet_comes_and_goes_with_the_sites_choice(site, folder, world):
    (folder / "index.html").write_text("<!doctype html><title>Start</title>")
    sizes = []
    for injects in (False, True, True, False):
        site.injects_snippet = injects
        site.save()
        run("deploy_site", site.name, folder)
        row = Deployment.objects.filter(is_published=True).get()
        assert served(site, world) == wanted(row)
        (path,) = manifest_of(row).entries.items()
        sizes.append(path[1].size)
        stored = world.objects.get(object_key(*path)).bytes().to_bytes()
        assert (SNIPPET in stored, len(stored)) == (injects, sizes[-1])
    assert sizes == [35, 35 + len(SNIPPET), 35 + len(SNIPPET), 35]


def test_branch_ref_and_exceptions_are_noted(site, folder):
    (folder / ".env").write_text("GREETING=hello")
    with pytest.raises(CommandError, match=r"\.env"):
        run("deploy_site", site.name, folder)
    options = ("--allow", ".env", "--branch", "main", "--message", "Spring")
    run("deploy_site", site.name, folder, *options)
    row = Deployment.objects.get(site=site)
    assert (row.ref, row.description, row.allowed) == ("main", "Spring", [".env"])


def test_a_preview_without_a_domain_for_it_is_refused(site, folder):
    with pytest.raises(CommandError, match="no domain for previews"):
        run("deploy_site", site.name, folder, "--preview", "login")
    assert not Deployment.objects.exists()


def test_who_was_overtaken_has_not_failed(site, folder, monkeypatch, deploy):
    finish = operations.finish

    def and_another_one_is_faster(deployment, pause):
        with monkeypatch.context() as patch:
            patch.setattr(operations, "finish", finish)
            Deployment.objects.filter(pk=deployment.pk).update(phase=Phase.UPLOAD)
            newer = deploy({"a.html": "newer"})
            Deployment.objects.filter(pk=deployment.pk).update(phase=Phase.QUEUE)
        assert newer.is_published
        finish(deployment, pause)

    monkeypatch.setattr(operations, "finish", and_another_one_is_faster)
    assert "Overtaken by #2" in run("deploy_site", site.name, folder)


def test_a_deployment_to_a_locked_site_is_ready(site, folder):
    run("lock_site", site.name, "--reason", "Sale", "--owner", "ada", "--hours", "2")
    said = run("deploy_site", site.name, folder)
    assert "is not published" in said
    assert "locked by ada" in said
    assert "rollback_site" in said
    assert "#1 is ready" in run("unlock_site", site.name)


def test_back_and_on_again(site, folder, world, deploy):
    first, _ = deploy({"a.html": "1"}), deploy({"a.html": "2"})
    said = run("rollback_site", site.name)
    assert "#1 is live again" in said
    assert "resume_publishing" in said
    assert served(site, world) == wanted(first)
    assert "by themselves" in run("resume_publishing", site.name)
    with pytest.raises(CommandError, match="not rolled back"):
        run("resume_publishing", site.name)


def test_a_lock_for_a_nonsensical_time_is_refused(site):
    with pytest.raises(CommandError, match="not a time"):
        run("lock_site", site.name, "--reason", "x", "--hours", "1e300")


def test_cancelling_by_number(site, begin):
    begin({})
    assert "Cancelled" in run("cancel_deployment", site.name, 1)
    with pytest.raises(CommandError, match="ended already"):
        run("cancel_deployment", site.name, 1)
    with pytest.raises(CommandError, match="no deployment #9"):
        run("cancel_deployment", site.name, 9)


def test_ctrl_c_before_the_flip_publishes_nothing(site, folder, world, monkeypatch):
    monkeypatch.setattr(
        operations, "upload", mock.create_autospec(operations.upload, side_effect=KeyboardInterrupt)
    )
    with pytest.raises(CommandError, match="Nothing of it was published"):
        run("deploy_site", site.name, folder)
    assert Deployment.objects.get(site=site).state == State.INACTIVE


def test_ctrl_c_after_the_flip_is_too_late(site, folder, world, monkeypatch):
    verify = mock.create_autospec(steps.verify, side_effect=KeyboardInterrupt)
    monkeypatch.setitem(operations.STEPS, Phase.VERIFY, verify)
    with pytest.raises(CommandError, match="too late"):
        run("deploy_site", site.name, folder)
    row = Deployment.objects.get(site=site)
    assert (row.state, row.is_held) == (State.IN_PROGRESS, False)


def test_another_one_cancelled_it(site, folder, monkeypatch):
    def cancelled(deployment, *_):
        operations.request_cancel(Deployment.objects.get(pk=deployment.pk))

    monkeypatch.setattr(operations, "upload", cancelled)
    with pytest.raises(CommandError, match="Cancelled"):
        run("deploy_site", site.name, folder)


def test_a_bucket_that_does_not_take_it_is_worth_another_try(site, folder, monkeypatch):
    error = UploadError("“index.html” was not taken by the bucket: SlowDown.", "SlowDown")
    monkeypatch.setattr(
        operations, "upload", mock.create_autospec(operations.upload, side_effect=error)
    )
    with pytest.raises(CommandError, match="SlowDown") as caught:
        run("deploy_site", site.name, folder)
    assert caught.value.returncode == 75
    assert Deployment.objects.get(site=site).state == State.FAILURE


def test_a_command_whose_deployment_was_taken_over_says_so(site, folder, monkeypatch):
    def taken_over(deployment, *_):
        Deployment.objects.filter(pk=deployment.pk).update(fence=deployment.fence + 1)
        deployment.write(phase=Phase.INDEX)

    monkeypatch.setattr(operations, "upload", taken_over)
    with pytest.raises(CommandError, match="site_status"):
        run("deploy_site", site.name, folder)
    assert Deployment.objects.get(site=site).state == State.IN_PROGRESS


def test_the_bar_shows_files_and_bytes(site, begin, monkeypatch):
    deployment = begin({})
    bar = reporting.Bar(deployment, lambda line: None)
    bar.on_progress(1, 5)
    assert bar.bar is not None
    assert bar.bar.tasks[0].fields["files"] == "1/1"
    bar.close()
    assert bar.bar is None


def test_the_place_is_told(site, begin):
    said: list[str] = []
    older, newer = begin({}), begin({})
    report = reporting.Lines(older, said.append)
    report.changed()
    operations.advance(newer)
    report.changed()
    assert said == ["#1: Waiting for its turn, 1 before it"]
    assert lane.place(newer) is None
