"""The way from what a person names to a folder of files that may be published."""

from __future__ import annotations

import errno
import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from deployments.source import bucket, git, remote, tar_archive, zip_archive
from deployments.source.compression import COMPRESSED
from deployments.source.rules import LIMITS, Limits, SourceRefused
from deployments.source.tree import File, Known, check
from deployments.source.workplace import workplace

if TYPE_CHECKING:
    from cloudadmin.aws import Clients

KINDS = "a folder, an archive (.zip, .tar, .tar.gz, .tar.bz2, .tar.zst), s3:// or a git address"
PASSWORD = re.compile(r"//[^/@]*@")
ZIP = (b"PK\3\4", b"PK\5\6")
# Formats that people try, and what to do with them.
ELSEWHERE = {
    b"Rar!\x1a\x07": ("a RAR archive", "unpack it with `unrar x`"),
    b"7z\xbc\xaf\x27\x1c": ("a 7-Zip archive", "unpack it with `7z x`"),
    b"\xfd7zXZ\0": ("packed with xz", "unpack it with `tar -xJf`"),
    b"MSCF": ("a Cabinet archive", "unpack it"),
    b"\x1f\x9d": ("packed with compress", "unpack it with `tar -xZf`"),
}


@dataclass(frozen=True)
class Opened:
    """A folder that may be published, until the context ends, and the files that were judged: to be
    read once, for a hundred thousand are not kept in memory longer than that.

    ``warnings`` are sentences; ``allowed`` are paths that only the exceptions let through. ``ref``
    (branch or tag), ``sha`` and ``author`` are those of a git commit, and empty otherwise.
    """

    root: Path
    files: Iterator[File] = iter(())
    warnings: tuple[str, ...] = ()
    allowed: tuple[str, ...] = ()
    ref: str = ""
    sha: str = ""
    author: str = ""


@contextmanager
def open_source(
    source: str | Path,
    *,
    ref: str = "",
    allow: Collection[str] = (),
    submodules: bool = False,
    limits: Limits = LIMITS,
    schemes: Collection[str] = remote.SCHEMES,
    clients: Clients | None = None,
    known: Known | None = None,
) -> Iterator[Opened]:
    """Open a folder, an archive, ``s3://bucket/prefix`` or ``git-url#ref:folder``.

    What is not a folder yet becomes one in a temporary place, which is gone in the end. ``allow``
    names paths that may look like secrets, and ``index.html`` if there need not be one. ``schemes``
    are those of git, where ``file`` may be added; ``clients`` reach the bucket; files of a folder
    that are ``known`` are not read for secrets again.
    Raises SourceRefused with a sentence for people.
    """
    text = str(source)
    with workplace() as work:
        root = work / "site"
        root.mkdir()
        commit = git.Commit()
        with _explained(text):
            if text.startswith(bucket.SCHEME):
                bucket.download(text, root, clients, limits)
            elif remote.is_address(text):
                commit = git.clone(
                    text,
                    root,
                    ref=ref,
                    submodules=submodules,
                    schemes=schemes,
                    limits=limits,
                )
            else:
                root = _from_disk(Path(source), root, limits)
            checked = check(root, allow=allow, limits=limits, known=known)
        yield Opened(
            root,
            checked.files,
            commit.warnings + checked.warnings,
            checked.allowed,
            commit.ref,
            commit.sha,
            commit.author,
        )


def _from_disk(path: Path, folder: Path, limits: Limits) -> Path:
    """A folder as it is; an archive, known by its content and not by its name, unpacked."""
    if path.is_dir():
        return path
    if not path.is_file():
        raise SourceRefused(f"there is nothing of this name; name {KINDS}.")
    with path.open("rb") as stream:
        beginning = stream.read(tar_archive.BLOCK)
    if not beginning:
        raise SourceRefused("it has no bytes in it; pack the folder of the site again.")
    for magic, (what, instead) in ELSEWHERE.items():
        if beginning.startswith(magic):
            raise SourceRefused(f"it is {what}; {instead} and deploy the folder.")
    if beginning.startswith(ZIP):
        zip_archive.extract(path, folder, limits)
    elif beginning.startswith(COMPRESSED) or tar_archive.is_tar(beginning):
        tar_archive.extract(path, folder, limits)
    else:
        raise SourceRefused("it is no archive; pack the folder of the site as a zip or tar.")
    return folder


@contextmanager
def _explained(source: str) -> Iterator[None]:
    """Say which source is meant, without the password that may be in an address."""
    shown = PASSWORD.sub("//", source)
    try:
        yield
    except SourceRefused as refused:
        raise SourceRefused(f"{shown} cannot be deployed: {refused}") from None
    except PermissionError as error:
        raise SourceRefused(f"{error.filename} cannot be read; check its permissions.") from error
    except OSError as error:
        if error.errno not in {errno.ENOSPC, errno.EDQUOT}:
            raise
        raise SourceRefused(
            f"{shown} cannot be deployed: there is no room to unpack it on the disk of cloudadmin; "
            "make some, or set TMPDIR to a larger one."
        ) from error
