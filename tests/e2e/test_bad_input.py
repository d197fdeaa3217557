"""Each mistake is answered by one clear sentence and the right exit code.

One of each kind; what else is refused, and in which words, is shown where it is refused.
"""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from pathlib import Path

from tests.e2e.conftest import ROOT, Up, clean_environment


def refused(up: Up, *arguments: str | Path) -> str:
    message = up.manage(*arguments, expect=1).stderr.strip()
    assert len(message.splitlines()) == 1, message
    return message


def told_to_try_later(*arguments: str | Path, environment: dict[str, str]) -> str:
    done = subprocess.run(
        [sys.executable, ROOT / "manage.py", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    assert done.returncode == 75, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


def test_an_archive_that_would_escape(up: Up, tmp_path: Path):
    escaping = tmp_path / "escaping.zip"
    with zipfile.ZipFile(escaping, "w") as archive:
        archive.writestr("index.html", "hello")
        archive.writestr("../evil.txt", "evil")
    up.forget_calls()

    assert "../evil.txt" in refused(up, "deploy_site", "demo", escaping)
    assert up.calls("s3.PutObject") == []
    assert not (tmp_path / "evil.txt").exists()


def test_a_domain_that_cannot_be(up: Up):
    assert "https://example.com/" in refused(
        up, "create_site", "new-one", "--domain", "https://example.com/"
    )
    assert "no site “new-one”" in refused(up, "site_status", "new-one")


def test_usage(up: Up):
    up.manage("deploy_site", expect=2)


def test_no_database(tmp_path: Path):
    nowhere = {"DATABASE_URL": "postgresql://postgres@127.0.0.1:9/cloudadmin"}
    told = told_to_try_later("create_site", "x", environment=clean_environment(tmp_path) | nowhere)
    assert "database does not answer" in told


def test_nothing_is_running(tmp_path: Path):
    told = told_to_try_later("site_status", "x", environment=clean_environment(tmp_path))
    assert "start everything with `make up`" in told


def test_no_aws(up: Up, tmp_path: Path):
    nowhere = {"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}
    environment = clean_environment(up.data_dir) | nowhere
    (tmp_path / "index.html").write_text("never there")
    for work in (["provision_site", "demo"], ["deploy_site", "demo", tmp_path]):
        told = told_to_try_later(*work, environment=environment)
        assert re.search(r"http://127\.0\.0\.1:9\S* cannot be reached", told), told
