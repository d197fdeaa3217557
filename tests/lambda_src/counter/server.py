"""A PostgreSQL server of its own, with a log to read and a life to take."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from cloudadmin import embedded
from tests.lambda_src.counter.containers import container

START_SECONDS = 60


class Server:
    def __init__(self, folder: Path) -> None:
        self.log_file = folder / "log"
        self._port = embedded.free_port()
        self._program = embedded.postgres(folder / "postgres", self._port)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return embedded.postgres_url(self._port, "postgres")

    @property
    def log(self) -> str:
        return self.log_file.read_text()

    def start(self) -> None:
        with self.log_file.open("ab") as log:
            self._process = subprocess.Popen(
                self._program.command,
                user=self._program.user,
                stdout=log,
                stderr=log,
                cwd="/",
            )
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                psycopg.connect(self.url).close()
            except psycopg.OperationalError:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise
            else:
                return

    def crash(self) -> None:
        """Like a power cut to its connections and its memory: the next start recovers."""
        self._end(signal.SIGQUIT)

    def stop(self) -> None:
        self._end(signal.SIGINT)

    def dump(self) -> str:
        """Schema and rows as text."""
        pg_dump = Path(self._program.command[0]).with_name("pg_dump")
        dumped = subprocess.run([pg_dump, self.url], capture_output=True, text=True, check=True)
        return dumped.stdout

    def _end(self, how: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(START_SECONDS)


@contextmanager
def running(folder: Path) -> Iterator[Server]:
    """Started, and with the counter's tables when the environment names it."""
    folder.chmod(0o755)  # PostgreSQL's own user passes through
    server = Server(folder)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def migrate() -> None:
    """The tables, made by the function itself in the database that the environment names."""
    container().handler({"action": "migrate"}, None)
