"""Objects into the bucket: concurrently, each file read once, and checked on its way.

S3 refuses an object whose bytes are not those that the request's signature covers, so what was
hashed here is what is stored there.
https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import obstore
from obstore.exceptions import BaseError

from deployments.manifest import Entry, object_key

if TYPE_CHECKING:
    from obstore.store import S3Store

START, FEWEST, MOST = 64, 8, 256
# Above this a file is sent in parts of this size, a few at a time, whatever its length.
PART = 8 * 1024 * 1024
PARTS_AT_ONCE = 2
READ_ASIDE = 256 * 1024


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
            self.limit = min(MOST, self.limit + self.limit // 4)
        elif typical > 3 * self.best:
            self.limit = max(FEWEST, self.limit // 2)


def upload(
    store: S3Store,
    root: Path,
    entries: Mapping[str, Entry],
    *,
    on_progress: Callable[[int, int], None] = lambda files, size: None,
) -> Uploaded:
    """Put ``root / path`` under its object key, for each path; ``on_progress`` gets sums so far.

    Raises UploadError at the first object that fails, ManifestChanged for a file that is not what
    its entry says. What was sent until then stays, and is right: keys are named after content.
    """
    return asyncio.run(_Upload(store, root, entries, on_progress).run())


class _Upload:
    def __init__(
        self,
        store: S3Store,
        root: Path,
        entries: Mapping[str, Entry],
        on_progress: Callable[[int, int], None],
    ) -> None:
        self.store, self.root, self.on_progress = store, root, on_progress
        self.waiting = iter(entries.items())
        self.pace = Pace()
        self.workers = self.objects = self.bytes = 0

    async def run(self) -> Uploaded:
        try:
            async with asyncio.TaskGroup() as group:
                self._staff(group)
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None
        return Uploaded(self.objects, self.bytes)

    def _staff(self, group: asyncio.TaskGroup) -> None:
        while self.workers < self.pace.limit:
            self.workers += 1
            group.create_task(self._work(group))

    async def _work(self, group: asyncio.TaskGroup) -> None:
        for path, entry in self.waiting:
            started = time.monotonic()
            await self._put(path, entry)
            if entry.size <= PART:
                self.pace.note(time.monotonic() - started)
            self.objects += 1
            self.bytes += entry.size
            self.on_progress(self.objects, self.bytes)
            if self.workers > self.pace.limit:
                self.workers -= 1
                return
            self._staff(group)

    async def _put(self, path: str, entry: Entry) -> None:
        source = _Source(self.root / path, path, entry)
        try:
            await obstore.put_async(
                self.store,
                object_key(path, entry),
                await source.whole() if entry.size <= PART else source.parts(),
                attributes={
                    "Content-Type": entry.content_type,
                    "Cache-Control": entry.cache_control,
                },
                chunk_size=PART,
                max_concurrency=PARTS_AT_ONCE,
            )
        except (BaseError, OSError) as error:
            if source.changed is not None:
                raise source.changed from None
            reason = str(error).partition("\n\nDebug source:")[0]
            raise UploadError(f"“{path}” was not taken by the bucket: {reason}") from error


class _Source:
    """A file, hashed while it is sent: its last part is held back until the hash is right."""

    def __init__(self, file: Path, path: str, entry: Entry) -> None:
        self.file, self.path, self.entry = file, path, entry
        self.changed: ManifestChanged | None = None

    async def whole(self) -> bytes:
        read = self.file.read_bytes
        with self._readable():
            content = read() if self.entry.size <= READ_ASIDE else await asyncio.to_thread(read)
        self._check(hashlib.sha256(content).hexdigest())
        return content

    async def parts(self) -> AsyncIterator[bytes]:
        hasher = hashlib.sha256()
        held = b""
        with self._readable(), await asyncio.to_thread(self.file.open, "rb") as stream:
            while part := await asyncio.to_thread(stream.read, PART):
                await asyncio.to_thread(hasher.update, part)
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
