"""A real browser: the one on PATH, else Playwright's own download, else Debian's package."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import expect

# Milliseconds that a page has to show what it will: a busy machine takes its time.
expect.set_options(timeout=30_000)

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# A test browser talks to loopback alone, and runs as whoever runs the tests, root included.
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def find_browser() -> Path:
    """The path of a Chromium, installed now if need be; LookupError says what was tried."""
    if found := _on_path():
        return found
    # Of several test processes one installs it, and the others wait.
    with (Path(tempfile.gettempdir()) / "cloudadmin-browser.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        return _on_path() or _from_playwright() or _from_debian() or _give_up()


def _on_path() -> Path | None:
    found = (shutil.which(name) for name in NAMES)
    return next((Path(path) for path in found if path), None)


def _from_playwright() -> Path | None:
    folder = Path(os.environ.get("PLAYWRIGHT_BROWSERS_PATH", "~/.cache/ms-playwright")).expanduser()
    subprocess.run(
        [sys.executable, "-m", "playwright", "install", "chromium"],
        capture_output=True,
        check=False,
        timeout=300,
    )
    return next(iter(folder.glob("chromium-*/chrome-linux*/chrome")), None)


def _from_debian() -> Path | None:
    if os.geteuid() == 0 and shutil.which("apt-get"):
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for command in (
            ["update", "-q"],
            ["install", "-qy", "--no-install-recommends", "chromium"],
        ):
            subprocess.run(
                ["apt-get", *command],
                capture_output=True,
                check=False,
                env=environment,
                timeout=600,
            )
    return _on_path()


def _give_up() -> Path:
    raise LookupError(
        "No browser: none of "
        + ", ".join(NAMES)
        + " is on PATH, `playwright install chromium` did "
        "not bring one, and `apt-get install chromium` did not either. Install Chromium."
    )
