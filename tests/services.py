"""Starts what the tests need before Django reads its settings: a real PostgreSQL.

A process started by a test inherits ``DATABASE_URL`` and starts nothing.
"""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import psycopg

from cloudadmin import embedded

os.environ.setdefault("CLOUDADMIN_LOCAL", "1")


def _start_postgres() -> str:
    folder = Path(tempfile.mkdtemp(prefix="cloudadmin-tests-"))
    folder.chmod(0o755)
    port = embedded.free_port()
    program = embedded.postgres(folder / "postgres", port)
    process = subprocess.Popen(
        [*program.command, "-c", "fsync=off", "-c", "shared_buffers=64MB"],
        user=program.user,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd="/",
    )

    def stop() -> None:
        process.send_signal(2)
        process.wait(60)
        shutil.rmtree(folder, ignore_errors=True)

    atexit.register(stop)
    url = embedded.postgres_url(port, "postgres")
    deadline = time.monotonic() + 120
    while True:
        try:
            psycopg.connect(url).close()
        except psycopg.OperationalError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return url


if "CLOUDADMIN_TESTS" not in os.environ:
    # Never the developer's running instance, never real AWS.
    for name in [*os.environ]:
        if name.startswith("AWS_") and name != "AWS_CA_BUNDLE":
            del os.environ[name]
    os.environ["CLOUDADMIN_TESTS"] = "1"
    os.environ["CLOUDADMIN_DATA_DIR"] = tempfile.mkdtemp(prefix="cloudadmin-tests-data-")
    os.environ["AWS_EC2_METADATA_DISABLED"] = "true"
    os.environ["DATABASE_URL"] = _start_postgres()
