"""What files hashed to when they were read last, so that files that did not change are not read.

The hash and the size are those of what is sent, which may be a file with something put into it.

A hash counts as long as the file's size, times, inode and device are those that it had before it
was read. A file changed in the two seconds before the reading is not remembered: it may change
again within one tick of the file system's clock, of which FAT's is the slowest, and look the same.
https://git-scm.com/docs/racy-git
"""

from __future__ import annotations

import hashlib
import os
import struct
import tempfile
import time
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

from deployments.source.tree import STAT

MAGIC = b"cloudadmin stat cache 2\n"
DIGEST = hashlib.sha256().digest_size
# The packed stat, then SHA-256 and size of what is sent.
SENT = struct.Struct(f"<{DIGEST}sQ")
RECORD = STAT.size + SENT.size
RACY = 2_000_000_000
# More are not written; fewer than a site may have would make every deploy of it read it whole.
MAX_FILES = 200_000
MAX_CACHES = 50


class StatCache:
    """Hashes of the files of one folder, kept in ``path``. What it cannot read is as if not there.

    Only what was asked for or put since it was opened is saved, so files that are gone leave it.
    Not for several threads at once, except that ``get`` and ``put`` are single dictionary steps.
    """

    def __init__(self, path: Path, *, now: int | None = None) -> None:
        """``now`` is the clock in nanoseconds; every reading comes after it."""
        self.path = path
        self._trusted_before = (time.time_ns() if now is None else now) - RACY
        self._known = _load(path)
        self._seen: dict[str, bytes] = {}
        self._forgotten: set[str] = set()

    def get(self, stat: bytes, path: str) -> tuple[str, int] | None:
        """What was put for a file with this packed stat, if it is what it was."""
        record = self._seen.get(path) or self._known.get(path)
        if record is None or not record.startswith(stat):
            return None
        self._seen[path] = record
        digest, size = SENT.unpack_from(record, STAT.size)
        return digest.hex(), size

    def put(self, stat: bytes, path: str, sha256: str, size: int) -> None:
        """``stat`` is from before the file was read; the hash is in hex."""
        if path in self._forgotten:
            return
        _, modified, changed, *_ = STAT.unpack(stat)
        if max(modified, changed) < self._trusted_before:
            self._seen[path] = stat + SENT.pack(bytes.fromhex(sha256), size)

    def forget(self, path: str) -> None:
        """Know nothing of this file, now and when it is opened next."""
        self._known.pop(path, None)
        self._seen.pop(path, None)
        self._forgotten.add(path)

    def save(self) -> None:
        """All or nothing; what is on the disk then is no longer in memory.

        A folder that cannot be written to costs time, not a deployment.
        """
        seen, known = self._seen, self._known
        self._seen, self._known = {}, {}
        if seen == known and not self._forgotten:
            return
        try:
            _replace(self.path, _packed(seen))
        except OSError:
            return


def of(root: Path, folder: Path, *, judges: str = "", changes: str = "") -> StatCache:
    """The cache of the files under ``root``; ``folder`` has those of the fifty last used roots.

    ``judges`` names those who let pass what is known here, ``changes`` what is done to files
    before they are sent: others begin with an empty one.
    """
    named = b"\0".join([os.fsencode(root.resolve()), judges.encode(), changes.encode()])
    name = hashlib.sha256(named).hexdigest()[:32]
    try:
        caches = sorted(folder.glob("*.stat"), key=lambda file: file.stat().st_mtime_ns)
        for oldest in caches[: max(0, len(caches) - MAX_CACHES)]:
            oldest.unlink(missing_ok=True)
    except OSError:
        pass  # another process tidies up as well
    return StatCache(folder / f"{name}.stat")


def _packed(seen: dict[str, bytes]) -> Iterator[bytes]:
    """Piece by piece: all of it would be in memory three times."""
    count = min(len(seen), MAX_FILES)
    yield MAGIC + struct.pack("<Q", count)
    yield from islice(seen.values(), count)
    for number, name in enumerate(islice(seen, count)):
        yield (b"\0" if number else b"") + os.fsencode(name)


def _load(path: Path) -> dict[str, bytes]:
    try:
        raw = path.read_bytes()
    except OSError:
        return {}
    content = memoryview(raw)[:-DIGEST]
    if not raw.startswith(MAGIC) or hashlib.sha256(content).digest() != raw[-DIGEST:]:
        return {}
    (count,) = struct.unpack_from("<Q", content, len(MAGIC))
    start = len(MAGIC) + 8
    names = os.fsdecode(bytes(content[start + count * RECORD :])).split("\0")
    records = (raw[at : at + RECORD] for at in range(start, start + count * RECORD, RECORD))
    return dict(zip(names, records, strict=False))


def _replace(path: Path, pieces: Iterable[bytes]) -> None:
    """All of it or nothing, and its checksum. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".stat-")
    try:
        with open(descriptor, "wb") as file:
            checksum = hashlib.sha256()
            for piece in pieces:
                checksum.update(piece)
                file.write(piece)
            file.write(checksum.digest())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
