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
from itertools import islice
from pathlib import Path

MAGIC = b"cloudadmin stat cache 2\n"
DIGEST = hashlib.sha256().digest_size
# Size, mtime and ctime in nanoseconds, inode, device; then SHA-256 and size of what is sent.
STAT = struct.Struct("<QqqQQ")
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

    def get(self, file: os.stat_result, path: str) -> tuple[str, int] | None:
        """What was put for the file that ``file`` is the stat of, if it is what it was."""
        record = self._seen.get(path) or self._known.get(path)
        if record is None or record[: STAT.size] != _packed(file):
            return None
        self._seen[path] = record
        digest, size = SENT.unpack_from(record, STAT.size)
        return digest.hex(), size

    def put(self, file: os.stat_result, path: str, sha256: str, size: int) -> None:
        """``file`` is its stat from before it was read; the hash is in hex."""
        if path in self._forgotten:
            return
        if max(file.st_mtime_ns, file.st_ctime_ns) < self._trusted_before:
            self._seen[path] = _packed(file) + SENT.pack(bytes.fromhex(sha256), size)

    def forget(self, path: str) -> None:
        """Know nothing of this file, now and when it is opened next."""
        self._known.pop(path, None)
        self._seen.pop(path, None)
        self._forgotten.add(path)

    def save(self) -> None:
        """All or nothing. A folder that cannot be written to costs time, not a deployment."""
        if self._seen == self._known and not self._forgotten:
            return
        kept = dict(islice(self._seen.items(), MAX_FILES))
        body = b"".join(kept.values()) + "\0".join(kept).encode(errors="surrogateescape")
        content = MAGIC + struct.pack("<Q", len(kept)) + body
        try:
            _replace(self.path, content + hashlib.sha256(content).digest())
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


def _packed(file: os.stat_result) -> bytes:
    return STAT.pack(file.st_size, file.st_mtime_ns, file.st_ctime_ns, file.st_ino, file.st_dev)


def _load(path: Path) -> dict[str, bytes]:
    try:
        raw = path.read_bytes()
    except OSError:
        return {}
    content, checksum = raw[:-DIGEST], raw[-DIGEST:]
    if not content.startswith(MAGIC) or hashlib.sha256(content).digest() != checksum:
        return {}
    (count,) = struct.unpack_from("<Q", content, len(MAGIC))
    start = len(MAGIC) + 8
    names = content[start + count * RECORD :].decode(errors="surrogateescape").split("\0")
    records = (content[at : at + RECORD] for at in range(start, start + count * RECORD, RECORD))
    return dict(zip(names, records, strict=False))


def _replace(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".stat-")
    try:
        with open(descriptor, "wb") as file:
            file.write(content)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
