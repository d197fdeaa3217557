"""A folder of files, walked in order and judged."""

from __future__ import annotations

import os
import stat
import struct
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple, Protocol

from deployments.source.projects import judge_start_page
from deployments.source.proofreading import proofread
from deployments.source.rules import LIMITS, Limits, SourceRefused, is_junk_name, judge
from deployments.source.secrets import (
    KEY_HEADER_WITHIN,
    Finding,
    judge_key,
    judge_secrecy,
    look_into,
    secret_name,
)

# Readable by everybody, and still nothing for a website.
SYSTEM_FOLDERS = frozenset({"dev", "etc", "proc", "run", "sys"})
START_PAGE = "index.html"
NAMED = 3


# Size, mtime and ctime in nanoseconds, inode, device.
STAT = struct.Struct("<QqqQQ")


class File(NamedTuple):
    """``path`` is relative to the root, with slashes; ``stat``, packed, that of a link's target."""

    path: str
    stat: bytes

    @property
    def size(self) -> int:
        size: int = STAT.unpack(self.stat)[0]
        return size


def packed(file: os.stat_result) -> bytes:
    """What tells whether a file is still what it was, in an eighth of the memory."""
    return STAT.pack(file.st_size, file.st_mtime_ns, file.st_ctime_ns, file.st_ino, file.st_dev)


class Known(Protocol):
    """Files that were looked into when they were what they are."""

    def get(self, stat: bytes, path: str) -> object | None:
        """Something, if this one is known."""

    def forget(self, path: str) -> None:
        """Have it looked into next time as well."""


@dataclass(frozen=True)
class Checked:
    """``files`` are let go once they were read to the end; ``warnings`` are sentences; ``allowed``
    the paths that only an exception let through."""

    files: Iterator[File]
    warnings: tuple[str, ...]
    allowed: tuple[str, ...]


def files_of(root: Path) -> Iterator[File]:
    """Every file, sorted by folder; links within the folder are followed.

    A link that leaves the folder is followed to a single file that everybody on the machine may
    read, as Debian's packages link to shared scripts. Raises SourceRefused for the other ones, for
    links that go round in circles, and for special files.
    """
    return _walk(root, "")


def read(file: str, size: int) -> bytes:
    """The content of a file of this size, and up to a byte more of one that grew.

    Three calls of the system, where a file object makes eight. Raises OSError.
    """
    descriptor = os.open(file, os.O_RDONLY)
    try:
        content = os.read(descriptor, size + 1)
        # Some network disks give less than they were asked for.
        while len(content) < size and (more := os.read(descriptor, size + 1 - len(content))):
            content += more
    finally:
        os.close(descriptor)
    return content


def check(
    root: Path,
    *,
    allow: Collection[str] = (),
    limits: Limits = LIMITS,
    known: Known | None = None,
) -> Checked:
    """Refuse a folder that is empty, is no site, or holds what must not be published.

    ``allow`` names paths that may look like secrets; with ``index.html`` among them, the start page
    may be missing. Files that are ``known`` are not read for secrets. Raises SourceRefused.
    """
    files: list[File] = []
    findings: list[Finding] = []
    for file in files_of(root):
        judge(file.path)
        if reason := secret_name(file.path):
            findings.append(Finding(file.path, reason))
        files.append(file)
        if len(files) > limits.files:
            raise SourceRefused(f"more than {limits.files:,} files; split the site in two.")
    if not files:
        raise SourceRefused("there are no files in it; deploy the folder that the build wrote.")
    named = {finding.path for finding in findings}
    unknown = (path for path, stat in files if known is None or known.get(stat, path) is None)
    findings += look_into(root, (path for path in unknown if path not in named))
    if known is not None:
        for finding in findings:
            known.forget(finding.path)
    _judge_secrets([finding for finding in findings if finding.path not in allow])
    allowed = {finding.path for finding in findings}
    try:
        judge_start_page(root)
    except SourceRefused:
        if START_PAGE not in allow:
            raise
        allowed.add(START_PAGE)
    warnings = proofread(root, (file.path for file in files))
    return Checked(iter(files), warnings, tuple(sorted(allowed)))


def _judge_secrets(findings: list[Finding]) -> None:
    if not findings:
        return
    first, *others = findings
    also = ""
    if others:
        names = ", ".join(f"“{finding.path}” ({finding.reason})" for finding in others[:NAMED])
        more = f" and {len(others) - NAMED} more" if len(others) > NAMED else ""
        also = f" So would {names}{more}."
    raise SourceRefused(
        f"“{first.path}” would be public: {first.reason}.{also} Deploy the build's output folder, "
        "or remove it from there; what is meant to be public, allow by its path."
    )


def _walk(root: Path, prefix: str) -> Iterator[File]:
    with os.scandir(os.path.join(root, prefix)) as entries:
        ordered = sorted(entries, key=attrgetter("name"))
    for entry in ordered:
        if is_junk_name(entry.name):
            continue
        path = prefix + entry.name
        if entry.is_symlink():
            _judge_link(path, root)
        if entry.is_dir():
            yield from _walk(root, path + "/")
        elif entry.is_file():
            yield File(path, packed(entry.stat()))
        else:
            raise SourceRefused(f"“{path}” is neither a file nor a folder; remove it.")


def _judge_link(path: str, root: Path) -> None:
    link, top = root / path, root.resolve()
    try:
        target = link.resolve()
    except (OSError, RuntimeError) as error:
        raise SourceRefused(f"“{path}” is a link that goes round in circles; remove it.") from error
    if any(target == folder.resolve() for folder in _above(link, root)):
        raise SourceRefused(f"“{path}” is a link to a folder that it is in; remove it.")
    if not target.exists():
        raise SourceRefused(f"“{path}” is a link to {target}, which is not there; remove it.")
    if not target.is_relative_to(top):
        _judge_target(path, target)


def _above(link: Path, root: Path) -> Iterator[Path]:
    """The folders on the way from the root to a link, as they were walked."""
    folder = link
    while folder != root:
        folder = folder.parent
        yield folder


def _judge_target(path: str, target: Path) -> None:
    """A link must not publish what a visitor of this machine could not read anyway."""
    is_public = target.is_file() and target.stat().st_mode & stat.S_IROTH
    if not is_public or target.parts[1] in SYSTEM_FOLDERS:
        raise SourceRefused(
            f"“{path}” is a link to {target}, outside the folder; copy the file in."
        )
    judge_secrecy(target.as_posix().lstrip("/"))
    with target.open("rb") as stream:
        judge_key(path, stream.read(KEY_HEADER_WITHIN))
