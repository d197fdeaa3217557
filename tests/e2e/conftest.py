"""One running ``manage.py up`` for all end-to-end tests, and a real browser."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, sync_playwright

from cloudadmin import embedded
from tests.e2e.browser import FLAGS, find_browser

ROOT = Path(__file__).parent.parent.parent


def clean_environment(data_dir: Path) -> dict[str, str]:
    """What a person's shell has: nothing of the test process, and nobody who counts its lines."""
    ours = ("AWS_", "DATABASE_URL", "REDIS_URL", "DJANGO_", "CLOUDADMIN_", "SECRET_KEY", "COVERAGE")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return {**kept, "CLOUDADMIN_DATA_DIR": str(data_dir)}


@dataclass
class Up:
    """A running instance, used as a person does: by commands and by HTTP."""

    process: subprocess.Popen[str]
    data_dir: Path
    output: Path

    @property
    def run(self) -> dict[str, Any]:
        run: dict[str, Any] = json.loads((self.data_dir / "run.json").read_text())
        return run

    def run_command(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, ROOT / "manage.py", *arguments],
            env=clean_environment(self.data_dir),
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )

    def manage(self, *arguments: str | Path, expect: int = 0) -> subprocess.CompletedProcess[str]:
        done = self.run_command(*arguments)
        told = f"{arguments} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
        assert done.returncode == expect, told
        assert "Traceback" not in done.stderr
        return done

    def status(self, name: str) -> dict[str, Any]:
        status: dict[str, Any] = json.loads(self.manage("site_status", name, "--json").stdout)
        return status

    def deploy(self, name: str, source: Path) -> dict[str, Any]:
        result: dict[str, Any] = json.loads(
            self.manage("deploy_site", name, source, "--json").stdout
        )
        return result

    def live_site(self, name: str, *options: str) -> str:
        """Create and provision a site; its host name."""
        self.manage("create_site", name, *options)
        self.manage("provision_site", name, "--wait")
        host: str = self.status(name)["hosts"][0]
        return host

    def visitor(self, host: str) -> httpx.Client:
        return httpx.Client(base_url=self.run["edge"], headers={"Host": host}, timeout=30)

    def url(self, name: str) -> str:
        return f"http://{name}.localhost:{httpx.URL(self.run['edge']).port}/"

    def stop(self) -> int:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(90)


def start(data_dir: Path, *options: str, **environment: str) -> Up:
    """``manage.py up`` until ``run.json`` says that it is ready."""
    ports = [
        *("--port", str(embedded.free_port())),
        *("--edge-port", str(embedded.free_port())),
        *("--aws-port", str(embedded.free_port())),
    ]
    output = data_dir / "up.out"
    data_dir.mkdir(parents=True, exist_ok=True)
    with output.open("w") as out:
        process = subprocess.Popen(
            [sys.executable, ROOT / "manage.py", "up", "--data-dir", data_dir, *ports, *options],
            env=clean_environment(data_dir) | environment,
            cwd=ROOT,
            stdout=out,
            stderr=subprocess.STDOUT,
            text=True,
        )
    up = Up(process, data_dir, output)
    deadline = time.monotonic() + 180
    while "is ready" not in output.read_text():
        if process.poll() is not None or time.monotonic() > deadline:
            up.stop()
            pytest.fail(f"up did not get ready:\n{output.read_text()}")
        time.sleep(0.2)
    return up


@pytest.fixture(scope="session")
def up() -> Iterator[Up]:
    with passable_folder() as folder:
        up = start(folder / "data")
        yield up
        up.stop()


@contextmanager
def passable_folder() -> Iterator[Path]:
    """A folder that PostgreSQL's own user may pass through; pytest's are for one user alone."""
    with tempfile.TemporaryDirectory(prefix="cloudadmin-e2e-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """For one module: while Playwright runs, nobody else may run an event loop in this thread."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_browser(), args=FLAGS)
        yield browser
        browser.close()
