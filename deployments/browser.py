"""A headless browser in a cage: one page, one picture, nothing else.

The page is a stranger's program. It reaches the hosts that are named and no other address, be it
this machine's, the network's or the metadata service's; it has a profile and a home of its own, no
variable of ours, so much time and so much memory. Whatever it starts ends with it.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
WIDTH, HEIGHT = 1280, 800
SECONDS = 25
# Milliseconds that scripts and images get, counted in the page's own time.
PAGE_TIME, PAGE_LIMIT = 6_000, 12_000
# Of each of its processes: bytes of data, seconds of processor time, kilobytes of a file.
DATA_KB, CPU_SECONDS, FILE_BLOCKS = 2_000_000, 20, 65_536
NOBODY = 65534
CAGED = f'ulimit -d {DATA_KB} -t {CPU_SECONDS} -f {FILE_BLOCKS} -c 0; exec nice -n 19 "$0" "$@"'
# A counter of visitors shall know that this is none.
AGENT = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/150.0.0.0 "
    "Safari/537.36 cloudadmin-bot"
)
# https://peter.sh/experiments/chromium-command-line-switches/
SWITCHES = (
    f"--user-agent={AGENT}",
    "--headless=new",
    "--disable-gpu",
    "--disable-quic",
    "--disable-extensions",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-breakpad",
    "--disable-crash-reporter",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--no-proxy-server",
    "--mute-audio",
    "--hide-scrollbars",
    "--renderer-process-limit=1",
    "--js-flags=--max-old-space-size=256",
    "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
    "--webrtc-ip-handling-policy=disable_non_proxied_udp",
    "--blink-settings=preferredColorScheme=1",
    f"--window-size={WIDTH},{HEIGHT}",
    f"--virtual-time-budget={PAGE_TIME}",
    f"--timeout={PAGE_LIMIT}",
)


class NoPicture(Exception):
    """Why there is none, in a sentence."""


def find(named: str = "") -> str:
    """The browser's path; "" when there is none, or none is wanted (“off”)."""
    if named == "off":
        return ""
    wanted = (named,) if named else NAMES
    return next(filter(None, map(shutil.which, wanted)), "")


def shoot(browser: str, url: str, hosts: Mapping[str, str], scale: float) -> bytes:
    """A WebP picture of the page as a desktop shows it, ``scale`` of its size.

    ``hosts``: the “host:port” that the page may ask -> the “host:port” that is asked instead.
    Raises NoPicture.
    """
    rules = [f"MAP {host} {instead}" for host, instead in hosts.items()]
    with tempfile.TemporaryDirectory(prefix="picture-", ignore_cleanup_errors=True) as home:
        picture = Path(home, "picture.webp")
        _run(
            [
                browser,
                *SWITCHES,
                *(["--no-sandbox"] if os.geteuid() == 0 else []),
                f"--user-data-dir={home}/profile",
                f"--force-device-scale-factor={scale}",
                f"--host-resolver-rules={','.join([*rules, 'MAP * ~NOTFOUND'])}",
                f"--screenshot={picture}",
                url,
            ],
            home,
        )
        try:
            return picture.read_bytes()
        except OSError as error:
            raise NoPicture("The browser ended without a picture.") from error


def _run(command: list[str], home: str) -> None:
    """Raises NoPicture when it takes too long; its children end with it in any case."""
    # Root gives itself up: without a sandbox of its own, the browser is nobody at least.
    is_root = os.geteuid() == 0
    if is_root:
        os.chown(home, NOBODY, NOBODY)
    process = subprocess.Popen(
        ["/bin/sh", "-c", CAGED, *command],
        cwd=home,
        env={"HOME": home, "PATH": os.environ.get("PATH", "/usr/bin:/bin"), "TMPDIR": home},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        user=NOBODY if is_root else None,
        group=NOBODY if is_root else None,
        extra_groups=[] if is_root else None,
    )
    try:
        process.wait(SECONDS)
    except subprocess.TimeoutExpired as error:
        raise NoPicture(f"The page was not done after {SECONDS} seconds.") from error
    finally:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
