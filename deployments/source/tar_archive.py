"""Tar archives, packed or not: read twice, first to judge every entry, then to extract.

Python's ``tarfile`` decodes single headers here and no more: left alone, it reads extended headers
of any size into memory, follows links, and takes an archive that was cut off for a short one.
Format: https://pubs.opengroup.org/onlinepubs/9699919799/utilities/pax.html#tag_20_92_13
"""

from __future__ import annotations

import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from deployments.source.compression import BROKEN, unpacked
from deployments.source.rules import Entries, Limits, SourceRefused

BLOCK = 512
END = bytes(BLOCK)
CHUNK = 1024**2
# A path of 4 KB needs less; extended attributes are 64 KB each.
MAX_EXTENSION = 1024**2
# Zeros after the end, up to a full block of a large tape.
MAX_PADDING = 1024**2

FILES = (tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.CONTTYPE)
PAX = (tarfile.XHDTYPE, tarfile.SOLARIS_XHDTYPE)
EXTENSIONS = (*PAX, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK)
UNWELCOME = {
    tarfile.SYMTYPE: "a link; pack with `tar --dereference`",
    tarfile.LNKTYPE: "a hard link; pack with `tar --hard-dereference`",
    tarfile.CHRTYPE: "a device; leave it out",
    tarfile.BLKTYPE: "a device; leave it out",
    tarfile.FIFOTYPE: "a pipe; leave it out",
    tarfile.GNUTYPE_SPARSE: "stored with holes; pack without `--sparse`",
}


class Broken(Exception):
    """Not a tar archive as the standard has it."""


@dataclass(frozen=True)
class Member:
    """An entry; ``read`` gives up to so many bytes of it, none at its end."""

    name: str
    size: int
    is_folder: bool
    read: Callable[[int], bytes]


def is_tar(beginning: bytes) -> bool:
    """Whether the first 512 bytes are a header whose checksum is right."""
    try:
        tarfile.TarInfo.frombuf(beginning[:BLOCK], "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        return beginning == END
    return True


def extract(archive: Path, target: Path, limits: Limits) -> None:
    """Extract into the empty folder ``target``; a single top folder is left out.

    Raises SourceRefused, before anything is written if an entry is not welcome.
    """
    try:
        entries = Entries(limits)
        with unpacked(archive, limits) as stream:
            wanted = {
                member.name
                for member in members(stream)
                if member.name
                and entries.admit(member.name, member.size, is_folder=member.is_folder)
            }
        top = entries.close(enter=True)
        with unpacked(archive, limits) as stream:
            for member in members(stream):
                if member.name in wanted and not member.is_folder:
                    _extract_one(member, target / member.name.removeprefix(top))
    except (*BROKEN, Broken, tarfile.HeaderError) as error:
        raise SourceRefused(f"it is broken ({error}); pack it again.") from error


def members(stream: BinaryIO) -> Iterator[Member]:
    """The files and folders, one after the other; the bytes of each are there until the next.

    Raises SourceRefused for what is neither, Broken and tarfile.HeaderError.
    """
    extended: dict[str, str] = {}
    while True:
        block = stream.read(BLOCK)
        if block == END:
            _judge_end(stream)
            return
        if not block:
            raise Broken("its end is missing")
        header = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
        if header.type in EXTENSIONS:
            extended |= _extension(header, stream)
            continue
        body = _Body(stream, _size(header, extended))
        yield _member(header, extended, body)
        body.finish()
        extended = {}


class _Body:
    """The bytes of one entry, and the padding after them."""

    def __init__(self, stream: BinaryIO, size: int) -> None:
        self.stream, self.size, self.left = stream, size, size

    def read(self, most: int) -> bytes:
        chunk = self.stream.read(min(most, self.left))
        if self.left and not chunk:
            raise Broken("it ends within a file")
        self.left -= len(chunk)
        return chunk

    def finish(self) -> None:
        while self.left:
            self.read(CHUNK)
        self.stream.read(-self.size % BLOCK)


def _member(header: tarfile.TarInfo, extended: dict[str, str], body: _Body) -> Member:
    name = extended.get("path", header.name)
    if header.type in UNWELCOME:
        raise SourceRefused(f"“{name}” is {UNWELCOME[header.type]}.")
    if any(key.startswith("GNU.sparse.") for key in extended):
        raise SourceRefused(f"“{name}” is {UNWELCOME[tarfile.GNUTYPE_SPARSE]}.")
    is_folder = header.type == tarfile.DIRTYPE
    if not is_folder and header.type not in FILES:
        raise SourceRefused(f"“{name}” is neither a file nor a folder; leave it out.")
    if is_folder and body.size:
        raise Broken(f"the folder “{name}” has content")
    # `tar -C dist -cf site.tar .` begins every name with “./”.
    name = "" if name in {".", "./"} else name.removeprefix("./")
    if is_folder:
        name = name.removesuffix("/")
    return Member(name, body.size, is_folder, body.read)


def _size(header: tarfile.TarInfo, extended: dict[str, str]) -> int:
    size = int(extended["size"]) if extended.get("size", "").isdecimal() else header.size
    if size < 0:
        raise Broken(f"“{header.name}” has a size below zero")
    return size


def _extension(header: tarfile.TarInfo, stream: BinaryIO) -> dict[str, str]:
    """What a header says about the next entry: its name or size, mostly."""
    if not 0 <= header.size <= MAX_EXTENSION:
        raise Broken("an extended header of more than 1 MB")
    body = _Body(stream, header.size)
    content = b"".join(iter(lambda: body.read(CHUNK), b""))
    body.finish()
    if header.type == tarfile.GNUTYPE_LONGNAME:
        return {"path": content.partition(b"\0")[0].decode("utf-8", "surrogateescape")}
    if header.type == tarfile.GNUTYPE_LONGLINK:
        return {}
    records = dict(_records(content))
    if header.type == tarfile.XGLTYPE:
        # Git writes the commit here; a name for all entries is nobody's honest wish.
        if records.keys() & {"path", "size", "linkpath"}:
            raise Broken("one name or size for all entries")
        return {}
    return records


def _records(content: bytes) -> Iterator[tuple[str, str]]:
    """``20 path=index.html\\n``: its length in bytes, all of it; a name; a value."""
    while content.strip(b"\0"):
        length, space, _ = content[:16].partition(b" ")
        if not (space and length.isdigit() and len(length) < int(length) <= len(content)):
            raise Broken("an extended header that cannot be read")
        record, content = content[: int(length)], content[int(length) :]
        key, equals, value = record[len(length) + 1 :].partition(b"=")
        if not equals or not value.endswith(b"\n"):
            raise Broken("an extended header that cannot be read")
        yield key.decode("utf-8", "replace"), value[:-1].decode("utf-8", "surrogateescape")


def _judge_end(stream: BinaryIO) -> None:
    """Nothing but padding: what is behind the end shows in one program and not in the next."""
    left = MAX_PADDING
    while chunk := stream.read(64 * 1024):
        left -= len(chunk)
        if chunk.strip(b"\0") or left < 0:
            raise SourceRefused(
                "there is more behind its end, as of a second archive; pack the site into one."
            )


def _extract_one(member: Member, file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("xb") as target:
        while chunk := member.read(CHUNK):
            target.write(chunk)
