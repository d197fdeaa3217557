"""The program `git`, kept on a short lead: own settings, a time limit, a limit for its disk use."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Collection, Iterator
from pathlib import Path

from deployments.source.remote import Remote
from deployments.source.rules import Limits, SourceRefused, in_words

LOOK_EVERY_SECONDS = 0.2
MAX_OUTPUT = 256 * 1024**2
MAX_MESSAGE = 400
KEPT = re.compile(
    r"PATH|HOME|USER|LANG|TMPDIR|SSH_AUTH_SOCK|SSL_CERT_(?:FILE|DIR)|GIT_SSL_CAINFO|LD_LIBRARY_PATH"
    r"|(?:https?|no|all)_proxy",
    re.IGNORECASE,
)
SETTINGS = {
    "core.hooksPath": os.devnull,
    "core.fsmonitor": "false",
    "core.bigFileThreshold": "32m",
    "core.symlinks": "true",
    "credential.helper": "",
    "fetch.unpackLimit": "1",
    "gc.auto": "0",
    "http.followRedirects": "false",
    "http.lowSpeedLimit": "1000",
    "http.lowSpeedTime": "30",
    "init.defaultBranch": "main",
    "maintenance.auto": "false",
    "pack.threads": "1",
    "submodule.recurse": "false",
    "transfer.fsckObjects": "true",
    # Honest repositories of old have these.
    "fetch.fsck.badTimezone": "ignore",
    "fetch.fsck.missingSpaceBeforeDate": "ignore",
    "fetch.fsck.zeroPaddedFilemode": "ignore",
    "fetch.fsck.zeroPaddedDate": "ignore",
}
NOISE = re.compile(r"\A(?:fatal|error|warning|remote): |\AWarning: Permanently added")


class GitFailed(Exception):
    """Git's own last words."""


class Git:
    """One repository in ``folder``; ``watched``, above it, is what must not grow too large.

    ``deadline`` is in the seconds of ``time.monotonic``.
    """

    def __init__(
        self,
        folder: Path,
        remote: Remote,
        *,
        watched: Path,
        schemes: Collection[str],
        limits: Limits,
        deadline: float,
    ) -> None:
        self.folder, self.watched, self.limits = folder, watched, limits
        self.deadline = deadline
        self.environment = _environment(remote, schemes)
        self.settings = dict(SETTINGS)
        addresses = remote.addresses()
        if addresses and remote.scheme == "https":
            # Asked once and kept to: a name that means another machine next time is no way in.
            pinned = ",".join(f"[{each}]" if ":" in each else each for each in addresses)
            self.settings["http.curloptResolve"] = f"{remote.host}:{remote.port}:{pinned}"
        self._run("init", "--quiet", "--template=", "--", str(folder), within=False)

    def run(self, *words: str) -> None:
        self._run(*words)

    def output(self, *words: str) -> str:
        return self._run(*words).read_text(errors="replace")

    def lines(self, *words: str) -> Iterator[str]:
        """What is printed between NULs, as file names are."""
        with self._run(*words).open("rb") as stream:
            left = b""
            while chunk := stream.read(1024**2):
                *whole, left = (left + chunk).split(b"\0")
                yield from (line.decode("utf-8", "surrogateescape") for line in whole)

    def write_out(self, tree: str, target: Path) -> None:
        """The files of a tree, links as links; their names and sizes were judged before."""
        target.mkdir(parents=True, exist_ok=True)
        self._run("read-tree", "--reset", tree)
        self._run(
            *(f"--work-tree={target}", "checkout-index", "--all", "--quiet", f"--prefix={target}/")
        )

    def _run(self, *words: str, within: bool = True) -> Path:
        """Run to the end; the file that holds what was printed. Raises GitFailed, SourceRefused."""
        settings = [
            word for key, value in self.settings.items() for word in ("-c", f"{key}={value}")
        ]
        where = [f"--git-dir={self.folder}/.git"] if within else []
        printed, said = self.watched / "printed", self.watched / "said"
        with printed.open("wb") as stdout, said.open("wb") as stderr:
            process = subprocess.Popen(
                ["git", *settings, *where, *words],
                cwd=self.watched,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                start_new_session=True,
            )
            try:
                self._watch(process, printed)
            finally:
                _end(process)
        if process.returncode:
            raise GitFailed(_last_words(said))
        return printed

    def _watch(self, process: subprocess.Popen[bytes], printed: Path) -> None:
        while True:
            try:
                process.wait(LOOK_EVERY_SECONDS)
                return
            except subprocess.TimeoutExpired:
                pass
            if time.monotonic() > self.deadline:
                raise SourceRefused(
                    f"the repository was not here after {self.limits.seconds} seconds; is it very "
                    "large, or its host slow?"
                )
            if _size(self.watched) > self.limits.total_bytes or _size(printed) > MAX_OUTPUT:
                raise SourceRefused(
                    f"the repository is larger than {in_words(self.limits.total_bytes)}; deploy "
                    "its build's output instead."
                )


def _environment(remote: Remote, schemes: Collection[str]) -> dict[str, str]:
    ssh = "ssh -o BatchMode=yes -o StrictHostKeyChecking=accept-new -o ConnectTimeout=15"
    return {
        **{name: value for name, value in os.environ.items() if KEPT.fullmatch(name)},
        "GIT_ALLOW_PROTOCOL": ":".join(schemes),
        "GIT_ASKPASS": "true",
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_LFS_SKIP_SMUDGE": "1",
        "GIT_LITERAL_PATHSPECS": "1",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_SSH_COMMAND": ssh,
        "GIT_SSH_VARIANT": "ssh",
        "GIT_TERMINAL_PROMPT": "0",
        "LC_ALL": "C",
        "SSH_ASKPASS": "true",
    }


def _end(process: subprocess.Popen[bytes]) -> None:
    """Git and what it started: ssh, or a helper that speaks https."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _size(path: Path) -> int:
    """Bytes of a file, or of all files in a folder that others may write to meanwhile."""
    if path.is_file():
        return path.stat().st_size
    total = 0
    for folder, _, names in os.walk(path):
        for name in names:
            try:
                total += os.lstat(os.path.join(folder, name)).st_size
            except FileNotFoundError:
                continue
    return total


def _last_words(said: Path) -> str:
    """What went wrong, without control characters, which a terminal would obey."""
    with said.open("rb") as stream:
        text = stream.read(64 * 1024).decode(errors="replace")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    telling = [line for line in lines if line.startswith(("fatal:", "error:", "ERROR:"))] or lines
    words = re.sub(r"[\x00-\x1f\x7f-\x9f]", " ", " ".join(telling[:2]))
    return NOISE.sub("", words)[:MAX_MESSAGE] or "nothing, and ended with an error"
