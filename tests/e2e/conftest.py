"""One running ``manage.py up`` for all end-to-end tests, and a real browser."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from playwright.sync_api import Browser, sync_playwright

from cloudadmin import embedded
from tests.deployments.receiver import Receiver, receiving
from tests.e2e.browser import FLAGS, find_browser
from tests.localcloud import http

ROOT = Path(__file__).parent.parent.parent
# Twice AWS's rates, by workers: what test_chaos.py shows is that they are kept to.
PACE = 2


def clean_environment(data_dir: Path) -> dict[str, str]:
    """What a person's shell has: nothing of the test process, and nobody who counts its lines."""
    ours = ("AWS_", "DATABASE_URL", "REDIS_URL", "DJANGO_", "CLOUDADMIN_", "SECRET_KEY", "COVERAGE")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    # Pictures of sites have a test of their own; here they would take the processor from others.
    return {**kept, "CLOUDADMIN_DATA_DIR": str(data_dir), "CLOUDADMIN_CHROMIUM": "off"}


def eventually(condition: Callable[[], object], *, within: float = 90.0) -> None:
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


@dataclass
class Up:
    """A running instance, used as a person does: by commands and by HTTP.

    What is only looked up, or waited for, is read from its rows: a command costs a second.
    """

    process: subprocess.Popen[str]
    data_dir: Path
    output: Path
    environment: dict[str, str]
    # Kept, for to make one is most of the work of a look; made anew when the server was killed.
    connection: psycopg.Connection[tuple[Any, ...]] | None = None

    @property
    def run(self) -> dict[str, Any]:
        run: dict[str, Any] = json.loads((self.data_dir / "run.json").read_text())
        return run

    def run_command(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        with self.running(*arguments) as process:
            out, err = process.communicate(timeout=180)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    @contextmanager
    def running(self, *arguments: str | Path) -> Iterator[subprocess.Popen[str]]:
        """A command beside the test; killed should the test be through with it first."""
        with subprocess.Popen(
            [sys.executable, ROOT / "manage.py", *arguments],
            env=clean_environment(self.data_dir),
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                yield process
            finally:
                process.kill()

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

    def query(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        if self.connection is not None:
            with suppress(psycopg.OperationalError):
                return self.connection.execute(sql, values).fetchall()
            self.connection.close()
        self.connection = psycopg.connect(
            self.run["database_url"], connect_timeout=30, autocommit=True
        )
        return self.connection.execute(sql, values).fetchall()

    def live_site(self, name: str, *options: str) -> str:
        """Create and provision a site; its host name."""
        self.manage("create_site", name, *options)
        self.manage("provision_site", name, "--wait")
        return self.host(name)

    def host(self, name: str) -> str:
        """The site's own name, that of its distribution."""
        ((host,),) = self.query(
            "SELECT r.attributes ->> 'domain_name' FROM sites_resource r"
            " JOIN sites_site s ON s.id = r.site_id"
            " WHERE s.name = %s AND r.logical_id = 'distribution'",
            name,
        )
        return str(host)

    def settle(self, name: str) -> None:
        """Until nothing of the site is waited for."""
        eventually(
            lambda: (
                not self.query(
                    "SELECT 1 FROM sites_operation WHERE site_name = %s AND finished_at IS NULL",
                    name,
                )
            ),
            within=90,
        )

    def visitor(self, host: str) -> httpx.Client:
        return http.client(base_url=self.run["edge"], headers={"Host": host}, timeout=30)

    def calls(self, operation: str) -> list[dict[str, Any]]:
        """What the local AWS was asked for since its log was emptied, as in ``s3.PutObject``."""
        calls = http.get(f"{self.run['aws_endpoint']}/_localcloud/calls", timeout=30).json()
        return [call for call in calls if fnmatchcase(call["operation"], operation)]

    def puts(self, name: str) -> list[dict[str, Any]]:
        """Into a site's bucket: other sites go on meanwhile."""
        ((bucket,),) = self.query(
            "SELECT r.physical_id FROM sites_resource r JOIN sites_site s ON s.id = r.site_id"
            " WHERE s.name = %s AND r.logical_id = 'bucket'",
            name,
        )
        calls = self.calls("s3.PutObject")
        return [call for call in calls if call["path"].startswith(f"/{bucket}/")]

    def forget_calls(self) -> None:
        http.delete(f"{self.run['aws_endpoint']}/_localcloud/calls")

    @contextmanager
    def fault(self, operation: str, kind: str, **options: float) -> Iterator[None]:
        """See docs/local-cloud.md."""
        url = f"{self.run['aws_endpoint']}/_localcloud/faults"
        rule = {"operation": operation, "kind": kind, **options}
        assert http.post(url, json=rule).status_code == 200
        try:
            yield
        finally:
            http.delete(url)

    def url(self, name: str) -> str:
        return f"http://{name}.localhost:{httpx.URL(self.run['edge']).port}/"

    def stop(self) -> int:
        if self.connection is not None:
            self.connection.close()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(90)

    def start_again(self) -> str:
        """After a stop, at the ports of last time; what it told."""
        output = self.data_dir / "again.out"
        with one_at_a_time():
            self.process = _up(output, "--no-demo", **self.environment)
            _until_ready(self.process, output)
        return output.read_text()


def start(data_dir: Path, *options: str, **environment: str) -> Up:
    """``manage.py up`` until ``run.json`` says that it is ready."""
    with one_at_a_time():
        return _start(data_dir, *options, **environment)


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """Two that begin at once would find the same ports free."""
    with (Path(tempfile.gettempdir()) / "cloudadmin-e2e.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _start(data_dir: Path, *options: str, **environment: str) -> Up:
    ports = [
        *("--port", str(embedded.free_port())),
        *("--edge-port", str(embedded.free_port())),
        *("--aws-port", str(embedded.free_port())),
    ]
    data_dir.mkdir(parents=True, exist_ok=True)
    output = data_dir / "up.out"
    process = _up(output, *ports, *options, **environment)
    _until_ready(process, output)
    return Up(process, data_dir, output, environment)


def _up(output: Path, *options: str, **environment: str) -> subprocess.Popen[str]:
    """Told in ``output``, which lies in the data directory."""
    with output.open("w") as out:
        return subprocess.Popen(
            [sys.executable, ROOT / "manage.py", "up", "--data-dir", output.parent, *options],
            env=clean_environment(output.parent) | environment,
            cwd=ROOT,
            stdout=out,
            stderr=subprocess.STDOUT,
            text=True,
        )


def _until_ready(process: subprocess.Popen[str], output: Path) -> None:
    deadline = time.monotonic() + 400
    while "is ready" not in output.read_text():
        if process.poll() is not None or time.monotonic() > deadline:
            process.terminate()
            process.wait(90)
            pytest.fail(f"up did not get ready:\n{output.read_text()}")
        time.sleep(0.2)


@pytest.fixture(scope="session")
def github() -> Iterator[Receiver]:
    """What answers in GitHub's place."""
    with receiving() as receiver:
        yield receiver


@pytest.fixture(scope="session")
def up(github: Receiver) -> Iterator[Up]:
    with passable_folder() as folder:
        up = start(
            folder / "data",
            CLOUDADMIN_GITHUB_API_URL=github.url,
            CLOUDADMIN_AWS_PACE=str(PACE),
        )
        yield up
        up.stop()


@pytest.fixture(scope="session")
def live_host(up: Up) -> str:
    return up.live_site("deploys", "--no-counter")


@pytest.fixture
def host(up: Up, live_host: str) -> Iterator[str]:
    """Of the site “deploys”, live and without a domain: for all who deploy to it in turn.

    Who rolls it back, or fails meanwhile, leaves it publishing by itself to the next.
    """
    yield live_host
    if up.query(
        "SELECT 1 FROM deployments_deploysettings d JOIN sites_site s ON s.id = d.site_id"
        " WHERE s.name = 'deploys' AND d.held_back <> ''"
    ):
        up.manage("resume_publishing", "deploys")


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
