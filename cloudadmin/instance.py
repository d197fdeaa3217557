"""One running embedded default: its data directory, its addresses, its start and stop.

data directory
  state.json    secret key, first admin password, ports: kept between runs, readable by us alone
  run.json      where everything is, while it runs (DESIGN section 11)
  postgres/ redis/ localcloud/ logs/
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Any, TextIO

import httpx
import psycopg
import redis
from django.conf import settings

from cloudadmin import embedded
from cloudadmin.supervision import SupervisionError, Supervisor

ADMIN_USER = "admin"
AWS_VARIABLES = (
    "AWS_ENDPOINT_URL",
    "AWS_ACCESS_KEY_ID",
    "AWS_PROFILE",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
)


class AlreadyRunning(Exception):
    """Another ``up`` holds this data directory."""


@dataclass
class Ports:
    """None is "the usual one, or the one of last time, or any free one"."""

    web: int | None = None
    edge: int | None = None
    aws: int | None = None
    postgres: int | None = None
    redis: int | None = None


USUAL = Ports(web=8000, edge=8080, aws=4566, postgres=54329, redis=63790)


def choose_ports(asked: Ports, last: dict[str, int]) -> dict[str, int]:
    """A port that is asked for must be free; the others stay as they were if they can.

    Raises AlreadyRunning.
    """
    chosen: dict[str, int] = {}
    taken = {port for port in astuple(asked) if port}
    for name in (each.name for each in fields(Ports)):
        wanted = getattr(asked, name)
        if wanted and (wanted in chosen.values() or not embedded.is_free(wanted)):
            raise AlreadyRunning(f"Port {wanted} is taken; give another one, or none.")
        kept = last.get(name) or getattr(USUAL, name)
        chosen[name] = wanted or embedded.free_port(0 if kept in taken else kept)
        taken.add(chosen[name])
    return chosen


@dataclass(frozen=True)
class Addresses:
    """Where everything is: ours, or what the environment names instead; empty where on AWS none
    is needed."""

    dashboard: str
    database_url: str
    redis_url: str
    aws_endpoint: str | None
    edge: str | None
    dns_url: str | None
    is_local_cloud: bool

    @classmethod
    def of(cls, ports: dict[str, int]) -> Addresses:
        given = os.environ.get
        is_local = not any(given(name) for name in AWS_VARIABLES)
        aws = f"http://127.0.0.1:{ports['aws']}" if is_local else given("AWS_ENDPOINT_URL")
        edge = f"http://127.0.0.1:{ports['edge']}"
        return cls(
            dashboard=f"http://127.0.0.1:{ports['web']}/",
            database_url=given("DATABASE_URL")
            or embedded.postgres_url(ports["postgres"], "cloudadmin"),
            redis_url=given("REDIS_URL") or f"redis://127.0.0.1:{ports['redis']}/0",
            aws_endpoint=aws,
            edge=edge if is_local else given("CLOUDADMIN_EDGE_URL"),
            dns_url=f"{aws}/_localcloud/dns-query" if is_local else given("CLOUDADMIN_DNS_URL"),
            is_local_cloud=is_local,
        )


class Instance:
    def __init__(
        self, data_dir: Path, ports: Ports, say: Callable[[str], Any], *, time_scale: float = 0
    ) -> None:
        self.data_dir = data_dir
        self.say = say
        self.time_scale = time_scale
        self._lock = self._locked()
        self._state = self._read_state()
        self._ports = self._state["ports"] = choose_ports(ports, self._state["ports"])
        self._write_state()
        self.at = Addresses.of(self._ports)
        self._servers = self._servers_needed()
        self._own_programs = [
            embedded.web(self._port("web")),
            embedded.worker(),
            embedded.beat(self.data_dir),
        ]
        self._http = httpx.Client(timeout=10)
        self._supervisor = Supervisor(
            data_dir,
            [*self._servers, *self._own_programs],
            self._environment(),
            settings.BASE_DIR,
        )

    def start(self, *, demo: bool) -> None:
        """Start everything in order; returns when the dashboard answers and the demo is live."""
        self.say(f"Starting cloudadmin; data and logs are in {self.data_dir}")
        self._run_file.unlink(missing_ok=True)
        self._run_programs()
        self._write_run_file()
        if demo and self.at.is_local_cloud:
            self._bring_up_demo()
        self._say_addresses(demo=demo)

    def wait(self) -> None:
        while self._supervisor.is_running():
            time.sleep(0.5)
        raise SupervisionError(f"supervisord ended by itself; see {self._supervisor.log_dir}")

    def stop(self) -> None:
        self._run_file.unlink(missing_ok=True)
        self._supervisor.stop()
        self._http.close()
        self._lock.close()

    # --- what runs ----------------------------------------------------------------------------

    def _servers_needed(self) -> list[embedded.Program]:
        programs = []
        if not os.environ.get("DATABASE_URL"):
            programs.append(embedded.postgres(self.data_dir / "postgres", self._port("postgres")))
        if not os.environ.get("REDIS_URL"):
            programs.append(embedded.redis(self.data_dir / "redis", self._port("redis")))
        if self.at.is_local_cloud:
            programs.append(
                embedded.local_cloud(
                    self.data_dir / "localcloud",
                    aws_port=self._port("aws"),
                    edge_port=self._port("edge"),
                    postgres_url=self.at.database_url,
                    time_scale=self.time_scale,
                )
            )
        return programs

    def _run_programs(self) -> None:
        self._supervisor.start()
        self._start_together(self._servers)
        self._manage("migrate", "--skip-checks", "--verbosity", "0")
        self._manage("first_run", "--skip-checks")
        self._start_together(self._own_programs)

    def _start_together(self, programs: list[embedded.Program]) -> None:
        for program in programs:
            self._supervisor.start_program(program.name)
        for name in self._supervisor.not_running():
            raise SupervisionError(f"{name} keeps ending; see {self._supervisor.log_of(name)}")
        for program in programs:
            self._wait_for(program.name)

    def _environment(self) -> dict[str, str]:
        environment = {
            "CLOUDADMIN_DATA_DIR": str(self.data_dir),
            "DATABASE_URL": self.at.database_url,
            "REDIS_URL": self.at.redis_url,
            "SECRET_KEY": os.environ.get("SECRET_KEY") or self._state["secret_key"],
            "CLOUDADMIN_LOCAL": "1",
            "PYTHONUNBUFFERED": "1",
        }
        if self.at.aws_endpoint:
            environment["AWS_ENDPOINT_URL"] = self.at.aws_endpoint
        if self.at.edge:
            environment["CLOUDADMIN_EDGE_URL"] = self.at.edge
        if self.at.dns_url:
            environment["CLOUDADMIN_DNS_URL"] = self.at.dns_url
        return environment

    def _wait_for(self, name: str) -> None:
        checks: dict[str, Callable[[], object]] = {
            "postgres": self._ensure_database,
            "redis": lambda: redis.Redis.from_url(self.at.redis_url).ping(),
            "localcloud": lambda: self._http.get(
                f"{self.at.aws_endpoint}/_localcloud/health"
            ).raise_for_status(),
            "web": lambda: self._http.get(self.at.dashboard),
        }
        if name not in checks:
            return
        deadline = time.monotonic() + 120
        while True:
            try:
                checks[name]()
            except (psycopg.OperationalError, redis.ConnectionError, httpx.HTTPError) as error:
                if time.monotonic() > deadline:
                    raise SupervisionError(
                        f"{name} does not answer ({error}); its log is "
                        f"{self._supervisor.log_of(name)}"
                    ) from error
                time.sleep(0.1)
            else:
                return

    def _ensure_database(self) -> None:
        server = embedded.postgres_url(self._port("postgres"), "postgres")
        with psycopg.connect(server, autocommit=True, connect_timeout=5) as connection:
            found = connection.execute("SELECT 1 FROM pg_database WHERE datname = 'cloudadmin'")
            if found.fetchone() is None:
                connection.execute("CREATE DATABASE cloudadmin")

    # --- what is said -------------------------------------------------------------------------

    def _bring_up_demo(self) -> None:
        try:
            self.say("Bringing up the demo site")
            self._manage("bring_up_demo")
        except SupervisionError as error:
            self.say(f"The demo site is not live: {error}")

    def _say_addresses(self, *, demo: bool) -> None:
        self.say("")
        self.say("cloudadmin is ready.")
        self.say(f"  dashboard   {self.at.dashboard}")
        if self.at.is_local_cloud:
            if demo:
                self.say(f"  demo site   http://demo.localhost:{self._port('edge')}/")
            pace = f", at {self.time_scale:g} of AWS's usual time" if self.time_scale else ""
            self.say(f"  local AWS   {self.at.aws_endpoint}{pace}")
        else:
            given = ", ".join(name for name in AWS_VARIABLES if os.environ.get(name))
            self.say(f"  AWS         a REAL account, by {given} in the environment")
        if self._state.pop("admin_is_new", False):
            self._write_state()
            self.say(f"  log in as   {ADMIN_USER} / {self._state['admin_password']}")
            self.say("              (shown this once; change it in the dashboard)")
        self.say("Ctrl-C stops everything; the data stays.")

    def _write_run_file(self) -> None:
        run: dict[str, Any] = {
            "dashboard": self.at.dashboard,
            "edge": self.at.edge,
            "aws_endpoint": self.at.aws_endpoint,
            "dns_url": self.at.dns_url,
            "database_url": self.at.database_url,
            "redis_url": self.at.redis_url,
            "secret_key": self._environment()["SECRET_KEY"],
            "pid": os.getpid(),
        }
        if self.at.is_local_cloud:
            run |= {"admin_user": ADMIN_USER, "admin_password": self._state["admin_password"]}
        _write_private(self._run_file, run)

    # --- what is kept -------------------------------------------------------------------------

    def _locked(self) -> TextIO:
        """The data directory, ours alone from here on. Raises AlreadyRunning and OSError."""
        self.data_dir.mkdir(parents=True, exist_ok=True)
        lock = (self.data_dir / "up.lock").open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise AlreadyRunning(
                f"cloudadmin already runs on {self.data_dir}; its addresses are in "
                f"{self._run_file}. Stop that one first, or give another --data-dir."
            ) from error
        return lock

    @property
    def _run_file(self) -> Path:
        return self.data_dir / "run.json"

    def _read_state(self) -> dict[str, Any]:
        path = self.data_dir / "state.json"
        if path.exists():
            state: dict[str, Any] = json.loads(path.read_text())
            return state
        return {
            "secret_key": secrets.token_urlsafe(50),
            "admin_password": secrets.token_urlsafe(12),
            "admin_is_new": True,
            "ports": {},
        }

    def _write_state(self) -> None:
        _write_private(self.data_dir / "state.json", self._state)

    def _port(self, name: str) -> int:
        return self._ports[name]

    def _manage(self, *arguments: str) -> None:
        done = subprocess.run(
            [sys.executable, str(settings.BASE_DIR / "manage.py"), *arguments],
            env={
                **os.environ,
                **self._environment(),
                "CLOUDADMIN_ADMIN_PASSWORD": self._state["admin_password"],
            },
            cwd=settings.BASE_DIR,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            reason = (done.stderr.strip() or done.stdout.strip()).splitlines()
            raise SupervisionError(
                f"manage.py {' '.join(arguments[:2])} failed: {reason[-1] if reason else '?'}"
            )


def _write_private(path: Path, content: dict[str, Any]) -> None:
    """Written whole or not at all, readable by its owner alone."""
    partial = path.with_suffix(".partial")
    partial.touch(mode=0o600)
    partial.write_text(json.dumps(content, indent=2))
    partial.replace(path)
