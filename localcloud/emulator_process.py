"""The child process: MiniStack, told to write its state down as it goes.

MiniStack saves its state when it stops, and at no other time; a killed one would forget everything
but S3 objects. This wraps its ASGI app: some time after a call that may have changed something, the
state is saved again.

Run by :mod:`localcloud.emulator` as ``python -m localcloud.emulator_process``.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import sys
import time
from functools import partialmethod
from typing import Any

import ministack.app
from ministack.core.lambda_runtime import Worker
from ministack.core.persistence import save_all

PR_SET_PDEATHSIG = 1
SAVE_AFTER = 0.5  # seconds
SAVE_SHARE = 20  # at most one part in this many of the time goes into saving
LOG_WAIT = 0.002  # seconds


def die_with_parent() -> None:
    """On Linux the kernel sends SIGTERM when the parent dies, however it died."""
    if not sys.platform.startswith("linux"):
        return
    parent = os.getppid()
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent or parent == 1:
        sys.exit("the local cloud went away before its emulator started")


class SavesState:
    """ASGI app around MiniStack's own: saves soon after each call that may change something."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self.unsaved = False
        self.saving: asyncio.Task[None] | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self.app(scope, receive, send)
        if self.changes_something(scope):
            self.unsaved = True
            if self.saving is None or self.saving.done():
                self.saving = asyncio.create_task(self.save())

    @staticmethod
    def changes_something(scope: Any) -> bool:
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD"):
            return False
        if scope["path"].startswith("/_"):
            return False
        # Objects are on disk as soon as they are put (S3_PERSIST).
        authorization = next((v for k, v in scope["headers"] if k == b"authorization"), b"")
        is_object = scope["path"].strip("/").count("/") > 0
        return not (b"/s3/aws4_request" in authorization and is_object)

    async def save(self) -> None:
        while self.unsaved:
            await asyncio.sleep(SAVE_AFTER)
            self.unsaved = False
            began = time.monotonic()
            save_all(ministack.app._build_persistence_save_dict())
            await asyncio.sleep((time.monotonic() - began) * SAVE_SHARE)


def main() -> None:
    die_with_parent()
    # Lambda workers are started with sys.executable: the interpreter without our packages, since
    # on AWS a function has its own zip and nothing of ours.
    sys.executable = getattr(sys, "_base_executable", sys.executable)
    # It holds each answer of a function that logs nothing for 50 ms, in case a line still comes.
    # Such a line is not lost now, it is only written with the next call's.
    Worker._drain_stderr_bounded = partialmethod(
        Worker._drain_stderr_bounded, first_line_wait=LOG_WAIT
    )
    ministack.app.app = SavesState(ministack.app.app)
    sys.argv = ["ministack"]
    try:
        ministack.app.main()
    finally:
        # We lead a process group: Lambda workers go with us.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        os.killpg(0, signal.SIGTERM)


if __name__ == "__main__":
    main()
