"""Objects into the bucket: concurrently, each file read once, and checked on its way.

S3 refuses an object whose bytes are not those that the request's signature covers, so what was
hashed here is what is stored there.
https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
"""

from __future__ import annotations

import hashlib
import os
import random
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from heapq import heappop, heappush
from io import BytesIO
from pathlib import Path
from resource import RLIMIT_NOFILE, getrlimit
from typing import IO, TYPE_CHECKING, NamedTuple

from deployments.files import injection
from deployments.manifest import Entry, object_key
from deployments.puts import Put, Puts
from deployments.rule_files.headers import METADATA
from deployments.source.tree import read

if TYPE_CHECKING:
    from cloudadmin.aws import BucketAddress

START, FEWEST, MOST = 32, 8, 256
# Seconds: who answers faster is never too busy.
UNHURRIED = 0.02
# Read and checked before anything is sent; what is larger is read while it is sent.
SMALL = 256 * 1024
# What larger pages, which get the counter's snippet first, may hold in memory together.
IN_MEMORY = 32 * 1024 * 1024
# With the pauses between them a minute; an address that was never reached is told in seconds.
TRIES, FEW_TRIES = 8, 4
# Before the second try; twice as long before each that follows, and by chance, as all wait at once.
PAUSE, LONGEST_PAUSE = 0.2, 20.0
TOLD_EVERY = 0.1
# In one PUT: https://docs.aws.amazon.com/AmazonS3/latest/userguide/upload-objects.html
LARGEST = 5 * 1024**3


class UploadError(Exception):
    """S3 did not take an object; the message names the file, ``code`` is what S3 calls it."""

    def __init__(self, message: str, code: str = "") -> None:
        super().__init__(message)
        self.code = code


class ManifestChanged(UploadError):
    """A file is not what it was when the manifest was made."""


@dataclass(frozen=True)
class Uploaded:
    objects: int
    bytes: int


@dataclass
class Pace:
    """How many requests to have in flight: more while answers come as fast as they did at best."""

    limit: int = START
    most: int = MOST
    best: float = float("inf")
    window: list[float] = field(default_factory=list)

    def note(self, seconds: float) -> None:
        self.window.append(seconds)
        if len(self.window) < self.limit:
            return
        typical = sorted(self.window)[len(self.window) // 2]
        self.window.clear()
        self.best = min(self.best, typical)
        if typical <= 1.5 * self.best:
            self.limit = min(self.most, self.limit + self.limit // 2)
        elif typical > max(3 * self.best, UNHURRIED):
            self.slow_down()

    def slow_down(self) -> None:
        self.limit = max(FEWEST, self.limit // 2)
        self.window.clear()


def upload(
    bucket: BucketAddress,
    root: Path,
    entries: Mapping[str, Entry],
    *,
    injects: bool = False,
    on_progress: Callable[[int, int], None] = lambda files, size: None,
) -> Uploaded:
    """Put ``root / path`` under its object key, for each path; ``injects`` as in the manifest.

    ``on_progress`` gets the objects and bytes sent so far, ten times a second and at the end; what
    it raises ends the upload. Raises UploadError at the first object that fails, ManifestChanged
    for a file that is not what its entry says. What was sent until then stays, and is right: keys
    are named after content.
    """
    for path, entry in entries.items():
        if entry.size > LARGEST:
            raise UploadError(
                f"Nothing was sent: “{path}” has more than 5 GiB, and S3 takes no larger object in "
                "one request. Split it, or serve it from elsewhere."
            )
    return _Upload(bucket, root, entries, injects).run(on_progress)


class _Try(NamedTuple):
    path: str
    file: _File
    number: int


class _Upload:
    def __init__(
        self,
        bucket: BucketAddress,
        root: Path,
        entries: Mapping[str, Entry],
        injects: bool = False,
    ) -> None:
        self.root, self.injects = root, injects
        self.waiting, self.left = iter(entries.items()), len(entries)
        # Tries by the time that they are due at, of what was refused for the moment.
        self.again: list[tuple[float, str, _Try]] = []
        self.puts: Puts[_Try] = Puts(bucket)
        # A connection each, and a file: with those that the process has besides.
        self.pace = Pace(most=min(MOST, getrlimit(RLIMIT_NOFILE)[0] // 3))
        self.slowed_at = 0.0
        self.held = 0  # bytes of pages
        self.objects = self.bytes = 0

    def run(self, on_progress: Callable[[int, int], None]) -> Uploaded:
        told = time.monotonic()
        with closing(self.puts):
            while self._start():
                for put in self.puts.wait(TOLD_EVERY):
                    self._note(put)
                if (now := time.monotonic()) - told >= TOLD_EVERY:
                    told = now
                    on_progress(self.objects, self.bytes)
        on_progress(self.objects, self.bytes)
        return Uploaded(self.objects, self.bytes)

    def _start(self) -> bool:
        """As many requests as the pace allows; whether anything is left to wait for."""
        while len(self.puts) < self.pace.limit and self.held < IN_MEMORY:
            if self.again and self.again[0][0] <= time.monotonic():
                self._send(heappop(self.again)[2])
            elif self.left:
                self.left -= 1
                path, entry = next(self.waiting)
                is_page = self.injects and injection.is_page(entry.content_type)
                file = _File(os.path.join(self.root, path), path, entry, is_page)
                self._send(_Try(path, file, 1))
            else:
                break
        return bool(self.puts or self.again)

    def _send(self, this: _Try) -> None:
        entry = this.file.entry
        this.file.open()
        self.held += this.file.held
        self.puts.start(this, object_key(this.path, entry), _headers(entry), this.file)

    def _note(self, put: Put[_Try]) -> None:
        this, refusal = put.tag, put.refusal
        self.held -= this.file.held
        if refusal is None:
            self.objects += 1
            self.bytes += this.file.size
            if this.file.size <= SMALL:
                self.pace.note(put.seconds)
            return
        if this.file.changed is not None:
            raise this.file.changed
        is_lost = refusal.is_unreachable and not self.objects
        if not refusal.is_transient or this.number >= (FEW_TRIES if is_lost else TRIES):
            code = refusal.reason.partition(":")[0]
            said = refusal.reason.rstrip(".")
            raise UploadError(f"“{this.path}” was not taken by the bucket: {said}.", code)
        # Those in flight together were too many once.
        if refusal.is_busy and time.monotonic() - put.seconds > self.slowed_at:
            self.pace.slow_down()
            self.slowed_at = time.monotonic()
        longest = min(LONGEST_PAUSE, PAUSE * 2**this.number)
        due = time.monotonic() + random.uniform(longest / 2, longest)  # noqa: S311
        heappush(self.again, (due, this.path, this._replace(number=this.number + 1)))


def _headers(entry: Entry) -> dict[str, str]:
    headers = entry.attributes
    if METADATA in headers:
        headers[f"x-amz-meta-{METADATA}"] = headers.pop(METADATA)
    return headers


class _File:
    """A file on its way, hashed as it is read: the end is held back until the hash is right."""

    def __init__(self, file: str, path: str, entry: Entry, is_page: bool = False) -> None:
        """``is_page``: it may get the counter's snippet, then its entry's size is with that."""
        self.file, self.path, self.entry, self.is_page = file, path, entry, is_page
        self.size, self.sha256 = entry.size, entry.sha256
        self.is_whole = self.size <= SMALL or (is_page and self.size <= injection.LARGEST)
        self.held = self.size if self.is_whole and self.size > SMALL else 0
        self.changed: ManifestChanged | None = None
        self._stream: IO[bytes] = BytesIO()
        self._hash = hashlib.sha256()
        self._left = 0

    def open(self) -> None:
        """From its start. Raises ManifestChanged for a small one that is another."""
        try:
            if self.is_whole:
                content = read(self.file, self.size)
                content = injection.inject(content) if self.is_page else content
                if hashlib.sha256(content).hexdigest() != self.sha256:
                    raise self._another()
                self._stream = BytesIO(content)
            else:
                self._stream = open(self.file, "rb", buffering=0)  # noqa: SIM115  closed in close()
        except OSError as error:
            raise self._unreadable(error) from error
        self._hash, self._left = hashlib.sha256(), self.size

    def rewind(self) -> None:
        self._stream.seek(0)
        self._hash, self._left = hashlib.sha256(), self.size

    def read(self, size: int) -> bytes | None:
        if self.is_whole:
            return self._stream.read(size)
        try:
            part = self._stream.read(min(size, self._left))
        except OSError as error:
            self.changed = self._unreadable(error)
            return None
        self._hash.update(part)
        self._left -= len(part)
        is_short = not part and self._left
        is_other = not self._left and self._hash.hexdigest() != self.sha256
        if is_short or is_other:
            self.changed = self._another()
            return None
        return part

    def close(self) -> None:
        self._stream.close()

    def _another(self) -> ManifestChanged:
        return ManifestChanged(
            f"“{self.path}” changed while it was deployed; let the build finish, deploy again."
        )

    def _unreadable(self, error: OSError) -> ManifestChanged:
        return ManifestChanged(
            f"“{self.path}” can no longer be read ({error.strerror}); deploy again."
        )
