"""A cold start as Lambda has it: from the start of the process to the first answer.

The runtime client is the one of AWS's own images (``awslambdaric``), and the Runtime API that it
asks is as documented: https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time
import uuid
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Queue
from typing import Any

from sites.provisioning.package import build
from tests.lambda_src.counter.containers import COUNTER, lambda_environment, request

ROUNDS = 7
TIMEOUT = 30


class RuntimeApi(BaseHTTPRequestHandler):
    """Hands out one event, and keeps what was answered and when."""

    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        event = self.server.events.get()
        if event is None:
            self.close_connection = True
            return
        self.send_response(200)
        self.send_header("Lambda-Runtime-Aws-Request-Id", str(uuid.uuid4()))
        self.send_header("Lambda-Runtime-Deadline-Ms", str(int(time.time() * 1000) + 10_000))
        self.send_header("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:::function:counter")
        self.send_header("Lambda-Runtime-Trace-Id", "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(event)))
        self.end_headers()
        self.wfile.write(event)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.answers.put((time.perf_counter(), body))
        self.send_response(202)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None: ...


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), RuntimeApi)
        self.events: Queue[bytes | None] = Queue()
        self.answers: Queue[tuple[float, bytes]] = Queue()

    def handle_error(self, request: object, client_address: object) -> None:
        """The process was killed while it asked for the next event."""


def measure(url: str) -> list[float]:
    """Seconds of each of some cold starts, the first one left out: it fills the disk's cache."""
    with tempfile.TemporaryDirectory() as task:
        zipfile.ZipFile(io.BytesIO(build(COUNTER))).extractall(task)
        return [_start(task, url) for _ in range(ROUNDS + 1)][1:]


def _start(task: str, url: str) -> float:
    server = Server()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    server.events.put(json.dumps(request()).encode())
    environment = {
        **lambda_environment(url, str(uuid.uuid4())),
        "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{server.server_port}",
        "PATH": os.environ["PATH"],
        "PYTHONPATH": sysconfig.get_path("purelib"),
        # As in Lambda, where a package is read-only: its code is compiled at every start.
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    started = time.perf_counter()
    # Without what an environment of a developer loads at every start.
    process = subprocess.Popen(
        [sys.executable, "-S", "-m", "awslambdaric", "handler.handler"],
        cwd=task,
        env=environment,
        stdout=subprocess.DEVNULL,
    )
    try:
        answered, body = server.answers.get(timeout=TIMEOUT)
        assert json.loads(json.loads(body)["body"])["counted"], body
        return answered - started
    finally:
        process.kill()
        process.wait()
        server.events.put(None)
        server.shutdown()
        server.server_close()
