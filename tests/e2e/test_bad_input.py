"""Each mistake is answered by one clear sentence and the right exit code."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.e2e.conftest import ROOT, Up, clean_environment


@pytest.fixture(scope="module", autouse=True)
def _site(up: Up) -> None:
    up.live_site("strict", "--no-counter")


def refused(up: Up, *arguments: str | Path, code: int = 1) -> str:
    message = up.manage(*arguments, expect=code).stderr.strip()
    assert len(message.splitlines()) == 1, message
    return message


def test_unknown_site(up: Up):
    assert "no site “nobody”" in refused(up, "site_status", "nobody")
    assert "no site “nobody”" in refused(up, "provision_site", "nobody")
    assert "no site “nobody”" in refused(up, "deploy_site", "nobody", ".")


def test_sources_that_are_no_site(up: Up, tmp_path: Path):
    empty = tmp_path / "empty"
    empty.mkdir()
    no_index = tmp_path / "no-index"
    no_index.mkdir()
    (no_index / "about.html").write_text("hello")
    broken = tmp_path / "broken.zip"
    broken.write_bytes(b"PK\x03\x04 this is no archive")
    escaping = tmp_path / "escaping.zip"
    with zipfile.ZipFile(escaping, "w") as archive:
        archive.writestr("index.html", "hello")
        archive.writestr("../evil.txt", "evil")

    assert "empty" in refused(up, "deploy_site", "strict", empty)
    assert "index.html" in refused(up, "deploy_site", "strict", no_index)
    assert "broken.zip" in refused(up, "deploy_site", "strict", broken)
    assert "../evil.txt" in refused(up, "deploy_site", "strict", escaping)
    assert "nothing of this name" in refused(up, "deploy_site", "strict", tmp_path / "missing")
    assert up.status("strict")["deployment"] is None
    assert not (tmp_path / "evil.txt").exists()


def test_names_that_cannot_be(up: Up):
    assert "already exists" in refused(up, "create_site", "strict")
    assert "“Not A Name”" in refused(up, "create_site", "Not A Name")
    message = refused(up, "create_site", "new-one", "--domain", "https://example.com/")
    assert "https://example.com/" in message
    refused(up, "site_status", "new-one")


def test_usage(up: Up):
    up.manage("deploy_site", expect=2)


def test_destroy_asks_first(up: Up):
    assert "--yes" in refused(up, "destroy_site", "strict")
    assert up.status("strict")["state"] == "live"


@pytest.mark.parametrize(
    "command", [("site_status", "x"), ("create_site", "x"), ("deploy_site", "x", ".")]
)
def test_no_database(tmp_path: Path, command: tuple[str, ...]):
    done = subprocess.run(
        [sys.executable, ROOT / "manage.py", *command],
        env={
            **clean_environment(tmp_path),
            "DATABASE_URL": "postgresql://postgres@127.0.0.1:9/cloudadmin",
        },
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )

    assert done.returncode == 75
    assert "database does not answer" in done.stderr
    assert "Traceback" not in done.stderr


def test_nothing_is_running(tmp_path: Path):
    done = subprocess.run(
        [sys.executable, ROOT / "manage.py", "site_status", "x"],
        env=clean_environment(tmp_path),
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )

    assert done.returncode == 75
    assert "start everything with `make up`" in done.stderr
    assert "Traceback" not in done.stderr


def test_no_aws(up: Up, tmp_path: Path):
    site = tmp_path / "site"
    site.mkdir()
    (site / "index.html").write_text("hello")
    environment = {
        **clean_environment(up.data_dir),
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
    }
    for command in (["deploy_site", "strict", site], ["provision_site", "strict"]):
        done = subprocess.run(
            [sys.executable, ROOT / "manage.py", *command],
            env=environment,
            capture_output=True,
            text=True,
            cwd=ROOT,
            check=False,
        )

        assert done.returncode == 75
        assert "http://127.0.0.1:9 cannot be reached" in done.stderr
        assert "Traceback" not in done.stderr
