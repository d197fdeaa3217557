"""Temporary folders of ours, and what killed processes left of them."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PREFIX = "cloudadmin-work-"
# No source is open for longer.
ABANDONED_SECONDS = 24 * 60 * 60


@contextmanager
def workplace() -> Iterator[Path]:
    """An empty folder that is gone in the end, as are those that nobody could remove."""
    _drop_abandoned()
    with tempfile.TemporaryDirectory(prefix=PREFIX) as name:
        yield Path(name)


def _drop_abandoned() -> None:
    before = time.time() - ABANDONED_SECONDS
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        try:
            is_abandoned = folder.lstat().st_mtime < before
        except OSError:  # somebody else removed it just now
            continue
        if is_abandoned:
            shutil.rmtree(folder, ignore_errors=True)
