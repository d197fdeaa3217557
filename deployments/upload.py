"""Objects into the bucket: concurrently, each file read once, and checked on its way.

S3 refuses an object whose bytes are not those that the request's signature covers, so what was
hashed here is what is stored there.
https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html

Threads, not asyncio: obstore waits outside the interpreter's lock, and an event loop between it
and us takes as much processor time again as the request.
"""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import obstore
from obstore.exceptions import BaseError

from deployments import injection
from deployments.manifest import Entry, object_key
from deployments.source.tree import read

if TYPE_CHECKING:
    from obstore.store import S3Store

START, FEWEST, MOST = 32, 8, 256
# Above this a file is sent in parts of this size, a few at a time, whatever its length.
PART = 8 * 1024 * 1024
PARTS_AT_ONCE = 2
# What files above SMALL may hold in memory together; the others are no more than MOST * SMALL.
SMALL = 128 * 1024
IN_MEMORY = 64 * 1024 * 1024
TOLD_EVERY = 0.1
# How long a cancelled upload waits for what is being sent. What arrives later is right as well.
PATIENCE = 5.0


class UploadError(Exception):
    """S3 did not take an object; the message names the file."""


class ManifestChanged(UploadError):
    """A file is not what it was when the manifest was made."""


@dataclass(frozen=True)
class Uploaded:
    objects: int
    bytes: int


@dataclass
class Pace:
    """How many requests to have in flight: more while answers come as fast as they did at best.

    A bucket that says SlowDown is asked again by obstore, later each time, which shows here as a
    slow answer.
    """

    limit: int = START
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
            self.limit = min(MOST, self.limit + self.limit // 2)
        elif typical > 3 * self.best:
            self.limit = max(FEWEST, self.limit // 2)


def upload(
    store: S3Store,
    root: Path,
    entries: Mapping[str, Entry],
    *,
    injects: bool = False,
    on_progress: Callable[[int, int], None] = lambda files, size: None,
) -> Uploaded:
    """Put ``root / path`` under its object key, for each path; ``injects`` as in the manifest.

    ``on_progress`` gets the objects and bytes sent so far, ten times a second and at the end, in
    the caller's own thread; what it raises ends the upload. Raises UploadError at the first object
    that fails, ManifestChanged for a file that is not what its entry says. What was sent until then
    stays, and is right: keys are named after content.
    """
    return _Upload(store, root, entries, injects).run(on_progress)


class _Upload:
    """Whatever changes is changed under ``lock``."""

    def __init__(
        self, store: S3Store, root: Path, entries: Mapping[str, Entry], injects: bool
    ) -> None:
        self.store, self.root, self.injects = store, root, injects
        self.waiting, self.left = iter(entries.items()), len(entries)
        self.pace, self.memory = Pace(), _Memory(IN_MEMORY)
        self.lock, self.ended = threading.Lock(), threading.Event()
        self.threads: set[threading.Thread] = set()
        self.objects = self.bytes = 0
        self.error: BaseException | None = None

    def run(self, on_progress: Callable[[int, int], None]) -> Uploaded:
        with self.lock:
            self._staff()
        try:
            while self.threads and not self.ended.wait(TOLD_EVERY):
                on_progress(self.objects, self.bytes)
        finally:
            self._stop()
        if self.error is not None:
            raise self.error
        on_progress(self.objects, self.bytes)
        return Uploaded(self.objects, self.bytes)

    def _stop(self) -> None:
        with self.lock:
            self.left = 0
            self.ended.set()
            threads = [*self.threads]
        deadline = time.monotonic() + PATIENCE
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def _staff(self) -> None:
        wanted = min(self.pace.limit - len(self.threads), self.left)
        for _ in range(wanted):
            thread = threading.Thread(target=self._work, name="upload", daemon=True)
            self.threads.add(thread)
            thread.start()

    def _work(self) -> None:
        done, seconds = None, 0.0
        try:
            while (item := self._next(done, seconds)) is not None:
                path, done = item
                with self.memory.of(done.size):
                    started = time.monotonic()
                    if not self.ended.is_set():
                        self._put(path, done)
                    seconds = time.monotonic() - started
        except Exception as error:
            self._fail(error)

    def _put(self, path: str, entry: Entry) -> None:
        is_changed = self.injects and injection.is_page(entry.content_type)
        source = _Source(os.path.join(self.root, path), path, entry, is_changed)
        in_parts = entry.size > PART
        try:
            obstore.put(
                self.store,
                object_key(path, entry),
                source.parts() if in_parts else source.whole(),
                attributes=entry.attributes,
                use_multipart=in_parts,
                chunk_size=PART,
                max_concurrency=PARTS_AT_ONCE,
            )
        except (BaseError, OSError) as error:
            if source.changed is not None:
                raise source.changed from None
            raise UploadError(
                f"“{path}” was not taken by the bucket: {_reason(self.store, error)}"
            ) from error

    def _next(self, done: Entry | None, seconds: float) -> tuple[str, Entry] | None:
        """Count what was sent; the next file, or None for a thread that is not needed."""
        with self.lock:
            if done is not None:
                self.objects += 1
                self.bytes += done.size
                if done.size <= PART:
                    self.pace.note(seconds)
                self._staff()
            if self.left and len(self.threads) <= self.pace.limit:
                self.left -= 1
                return next(self.waiting)
            self._leave()
            return None

    def _fail(self, error: Exception) -> None:
        with self.lock:
            self.error = self.error or error
            self.left = 0
            self._leave()
            self.ended.set()

    def _leave(self) -> None:
        self.threads.discard(threading.current_thread())
        if not self.threads:
            self.ended.set()


class _Memory:
    """Large files wait until there is room for them."""

    def __init__(self, size: int) -> None:
        self.size = self.free = size
        self.freed = threading.Condition()

    def of(self, size: int) -> AbstractContextManager[None]:
        if size <= SMALL:
            return nullcontext()
        return self._room(size if size <= PART else PART * (PARTS_AT_ONCE + 2))

    @contextmanager
    def _room(self, wanted: int) -> Iterator[None]:
        with self.freed:
            self.freed.wait_for(lambda: self.free >= wanted)
            self.free -= wanted
        try:
            yield
        finally:
            with self.freed:
                self.free += wanted
                self.freed.notify_all()


def _reason(store: S3Store, error: Exception) -> str:
    """What obstore says, less its own insides."""
    told, _, insides = str(error).partition("\n\nDebug source:")
    if "kind: Connect" in insides:
        address = store.config.get("endpoint", "S3")
        return f"{address} cannot be reached; check the network, then try again."
    return told


class _Source:
    """A file, hashed while it is sent: its last part is held back until the hash is right."""

    def __init__(self, file: str, path: str, entry: Entry, is_changed: bool) -> None:
        """``is_changed``: it may get the counter's snippet, then its entry's size is with that."""
        self.file, self.path, self.entry, self.is_changed = file, path, entry, is_changed
        self.changed: ManifestChanged | None = None

    def whole(self) -> bytes:
        with self._readable():
            content = read(self.file, self.entry.size)
        content = injection.inject(content) if self.is_changed else content
        self._check(hashlib.sha256(content).hexdigest())
        return content

    def parts(self) -> Iterator[bytes]:
        hasher = hashlib.sha256()
        held = b""
        with self._readable(), open(self.file, "rb", buffering=0) as stream:
            while part := stream.read(PART):
                hasher.update(part)
                if held:
                    yield held
                held = part
        self._check(hasher.hexdigest())
        yield held

    @contextmanager
    def _readable(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self._refuse(f"“{self.path}” can no longer be read ({error.strerror}); deploy again.")

    def _check(self, sha256: str) -> None:
        if sha256 != self.entry.sha256:
            self._refuse(
                f"“{self.path}” changed while it was deployed; let the build finish, deploy again."
            )

    def _refuse(self, message: str) -> NoReturn:
        # Kept, because obstore wraps what an iterator raises in an error of its own.
        self.changed = ManifestChanged(message)
        raise self.changed
