"""Keeps the programs of the embedded default running, through supervisord (supervisord.org)."""

from __future__ import annotations

import configparser
import ctypes
import os
import shlex
import signal
import subprocess
import sys
import time
import xmlrpc.client
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from supervisor.xmlrpc import SupervisorTransport

from cloudadmin.embedded import BIN, Program

PR_SET_PDEATHSIG = 1
# A program counts as running after one (see startsecs), or later where the machine is busy.
STARTING_SECONDS = 30


class SupervisionError(Exception):
    """A program did not come up; the message names its log."""


class Supervisor:
    """A supervisord of our own: one log per process, restarts, nothing left behind at stop."""

    def __init__(
        self, data_dir: Path, programs: Iterable[Program], environment: dict[str, str], cwd: Path
    ) -> None:
        self.programs = list(programs)
        self.log_dir = data_dir / "logs"
        self.log_dir.mkdir(parents=True, exist_ok=True)
        self._environment = environment
        self._cwd = cwd
        # Unix socket paths are limited to 107 bytes, which a data directory may exceed.
        self._socket = f"/tmp/cloudadmin-{os.getpid()}.sock"  # noqa: S108  only root and we may use it
        self._config = data_dir / "supervisord.conf"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start supervisord; the programs follow with :meth:`start_program`."""
        self._write_config()
        with (self.log_dir / "supervisord.out").open("ab") as out:
            self._process = subprocess.Popen(
                [sys.executable, BIN / "supervisord", "--nodaemon", "-c", self._config],
                env={**os.environ, **self._environment},
                cwd=self._cwd,
                stdout=out,
                stderr=out,
                start_new_session=True,  # Ctrl-C is ours to pass on
                preexec_fn=_die_with_parent,
            )
        self._until_it_answers()

    def start_program(self, name: str) -> None:
        """Returns at once; :meth:`not_running` tells what became of it."""
        try:
            self._ask("startProcess", name, False)
        except xmlrpc.client.Fault as fault:
            raise SupervisionError(
                f"{name} did not start ({fault.faultString}); its log is {self.log_of(name)}"
            ) from fault

    def stop(self) -> None:
        """Stop all programs, in reverse order, and supervisord itself."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(60)
        except subprocess.TimeoutExpired:
            self._process.kill()
        Path(self._socket).unlink(missing_ok=True)

    def not_running(self) -> list[str]:
        """Programs that were started and are down or circling; waits for those just started."""
        deadline = time.monotonic() + STARTING_SECONDS
        while True:
            states = {info["name"]: info["statename"] for info in self._ask("getAllProcessInfo")}
            if "STARTING" not in states.values() or time.monotonic() > deadline:
                return [n for n, state in states.items() if state not in ("RUNNING", "STOPPED")]
            time.sleep(0.05)

    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def log_of(self, name: str) -> Path:
        return self.log_dir / f"{name}.log"

    def _ask(self, method: str, *arguments: str | bool) -> Any:
        transport = SupervisorTransport(None, None, f"unix://{self._socket}")
        with xmlrpc.client.ServerProxy("http://127.0.0.1", transport=transport) as server:
            return getattr(server.supervisor, method)(*arguments)

    def _until_it_answers(self) -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and self.is_running():
            try:
                self._ask("getState")
            except (OSError, xmlrpc.client.Error):
                time.sleep(0.05)
            else:
                return
        raise SupervisionError(f"supervisord did not start; see {self.log_dir}/supervisord.out")

    def _write_config(self) -> None:
        config = configparser.RawConfigParser()
        config["unix_http_server"] = {"file": self._socket, "chmod": "0600"}
        config["rpcinterface:supervisor"] = {
            "supervisor.rpcinterface_factory": "supervisor.rpcinterface:make_main_rpcinterface"
        }
        config["supervisord"] = {
            "logfile": _escape(str(self.log_dir / "supervisord.log")),
            "pidfile": _escape(str(self.log_dir.parent / "supervisord.pid")),
            "childlogdir": _escape(str(self.log_dir)),
            "silent": "true",
        }
        for priority, program in enumerate(self.programs):
            config[f"program:{program.name}"] = self._section(program, priority)
        self._config.touch(mode=0o600)  # it holds the environment of the programs
        with self._config.open("w") as file:
            config.write(file)

    def _section(self, program: Program, priority: int) -> dict[str, str]:
        environment = {**self._environment, **program.environment}
        section = {
            "command": _escape(shlex.join(program.command)),
            "directory": _escape(str(self._cwd)),
            "environment": ",".join(f'{key}="{_escape(v)}"' for key, v in environment.items()),
            "priority": str(priority),
            "autostart": "false",
            "autorestart": "true",
            "startsecs": "1",
            "startretries": "100",  # what it needs may be down for a while
            "stopsignal": program.stop_signal,
            "stopwaitsecs": "20",
            "killasgroup": "true",
            "redirect_stderr": "true",
            # supervisord expands this one twice.
            "stdout_logfile": _escape(_escape(str(self.log_of(program.name)))),
            "stdout_logfile_maxbytes": "10MB",
            "stdout_logfile_backups": "1",
        }
        if program.user:
            section["user"] = program.user
            section["directory"] = "/"
        return section


def _escape(text: str) -> str:
    """supervisord expands ``%(name)s`` in values."""
    return text.replace("%", "%%")


def _die_with_parent() -> None:
    """Linux: when ``up`` is killed outright, supervisord stops its children and follows."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
