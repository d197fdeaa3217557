"""Starts and stops MiniStack (https://github.com/ministackorg/ministack) as a child process."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import shutil
import signal
import socket
import sys
from pathlib import Path

from localcloud.upstream import Unreachable, Upstream

START_SECONDS = 60
STOP_SECONDS = 20

# What a shell may have set and must not reach the emulator or its Lambda workers.
NOT_INHERITED = ("AWS_", "LOCALSTACK_", "PYTHON", "VIRTUAL_ENV", "DJANGO_", "DATABASE_URL")


def free_port() -> int:
    """None of those that the system lends to outgoing connections, which come and go meanwhile."""
    while True:
        port = secrets.choice(range(10_000, 32_768))
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


class Emulator:
    """MiniStack with all of its state under ``data_dir``, on a free loopback port.

    ``concurrency``: how many functions run at once; 0: as many as the memory suffices for.
    """

    def __init__(self, data_dir: Path, concurrency: int = 0) -> None:
        self.data_dir, self.concurrency = data_dir, concurrency
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Raises RuntimeError when it does not answer within a minute."""
        workers = self.data_dir / "tmp"
        shutil.rmtree(workers, ignore_errors=True)  # unpacked functions of an earlier run
        workers.mkdir(parents=True)
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "localcloud.emulator_process"),
            env=self._environment(workers),
            cwd=Path(__file__).parent.parent,
            start_new_session=True,  # it leads the group of its Lambda workers
        )
        await self._until_ready()

    def _environment(self, workers: Path) -> dict[str, str]:
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(NOT_INHERITED)}
        return inherited | {
            "BIND_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(self.port),
            "PERSIST_STATE": "1",
            "STATE_DIR": str(self.data_dir / "state"),
            "S3_PERSIST": "1",
            "S3_DATA_DIR": str(self.data_dir / "s3"),
            "TMPDIR": str(workers),
            "IOT_MTLS_ENABLED": "0",  # MQTT on 8883
            "SFTP_ENABLED": "0",
            "DOCKER_HOST": "unix:///nonexistent",  # never reach for a daemon that happens to run
            "LOG_LEVEL": "WARNING",
            **({"LAMBDA_ACCOUNT_CONCURRENCY": str(self.concurrency)} if self.concurrency else {}),
        }

    async def _until_ready(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(START_SECONDS):
                while self.running:
                    if await answers(self.port, b"/_ministack/ready"):
                        return
                    await asyncio.sleep(0.05)
        raise RuntimeError(
            f"MiniStack did not start on port {self.port}; its last words are in the log above"
        )

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.returncode is None

    async def wait(self) -> None:
        """Returns when the process has ended, whoever ended it."""
        if self._process is not None:
            await self._process.wait()

    async def stop(self) -> None:
        if self._process is None:
            return
        if self.running:
            self._process.terminate()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._process.wait(), STOP_SECONDS)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        await self._process.wait()


async def answers(port: int, target: bytes) -> bool:
    """Whether a server of this machine has something to say there that is no error of its own."""
    try:
        response = await Upstream("127.0.0.1", port).request("GET", target, [(b"host", b"health")])
    except Unreachable:
        return False
    response.close()
    return response.status < 500
