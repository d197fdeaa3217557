"""Zip archives: every entry is judged before one is extracted.

``zipfile`` renames what it finds dangerous and keeps silent about it, so nothing is left to it.
"""

from __future__ import annotations

import os
import stat
import struct
import zipfile
import zlib
from pathlib import Path
from typing import IO

from deployments.source.rules import Entries, Limits, SourceRefused

RATIO_COUNTS_ABOVE = 10 * 1024**2
CHUNK = 1024**2
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
# APPNOTE 4.3: https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT
LOCAL_HEADER_BYTES = 30
DIRECTORY_ENTRY = struct.Struct("<4s24x3H12x")
END = struct.Struct("<4s8xLL2x")
END_WITHIN = END.size + 65_535
END_64 = struct.Struct("<4s36xQQ")
LOCATOR_64_BYTES = 20

BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    NotImplementedError,
    RuntimeError,
    UnicodeDecodeError,
    ValueError,
)


def extract(archive: Path, target: Path, limits: Limits) -> None:
    """Extract into the empty folder ``target``; a single top folder is left out.

    Raises SourceRefused, before anything is written if an entry is not welcome.
    """
    try:
        with archive.open("rb") as stream:
            _judge_count(stream, limits)
        with zipfile.ZipFile(archive) as opened:
            entries = Entries(limits)
            wanted = [entry for entry in opened.infolist() if _admit(entry, entries)]
            _judge_overlap(opened.infolist(), opened.start_dir)
            top = entries.close(enter=True)
            for entry in wanted:
                _extract_one(opened, entry, target / entry.orig_filename.removeprefix(top))
    except BROKEN as error:
        raise SourceRefused(f"it is broken ({error}); pack it again.") from error


def _judge_count(stream: IO[bytes], limits: Limits) -> None:
    """Count before ``zipfile`` makes an object of every entry, a kilobyte each."""
    size = stream.seek(0, os.SEEK_END)
    stream.seek(max(0, size - END_WITHIN))
    tail = stream.read()
    at = tail.rfind(b"PK\5\6")
    if at < 0:
        raise zipfile.BadZipFile("its end is missing")
    _, length, _ = END.unpack_from(tail, at)
    end = size - len(tail) + at
    at_64 = end - LOCATOR_64_BYTES - END_64.size
    if at_64 >= 0 and tail.startswith(b"PK\6\7", at - LOCATOR_64_BYTES):
        stream.seek(at_64)
        signature, length_64, _ = END_64.unpack(stream.read(END_64.size))
        if signature == b"PK\6\6":
            end, length = at_64, length_64
    stream.seek(max(0, end - length))
    left = length
    for _ in range(limits.files + 1):
        if left < DIRECTORY_ENTRY.size:
            return
        _, *lengths = DIRECTORY_ENTRY.unpack(stream.read(DIRECTORY_ENTRY.size))
        stream.seek(sum(lengths), os.SEEK_CUR)
        left -= DIRECTORY_ENTRY.size + sum(lengths)
    raise SourceRefused(f"more than {limits.files:,} files; split the site in two.")


def _admit(entry: zipfile.ZipInfo, entries: Entries) -> bool:
    # The name as it is in the archive; .filename has been tidied already.
    name = entry.orig_filename
    is_folder = name.endswith("/")
    wanted = entries.admit(name.removesuffix("/"), entry.file_size, is_folder=is_folder)
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind not in {0, stat.S_IFREG, stat.S_IFDIR} or (kind == stat.S_IFDIR) > is_folder:
        raise SourceRefused(
            f"“{name}” is a link or a special file; pack what it points to instead."
        )
    if entry.flag_bits & 0x1:
        raise SourceRefused(f"“{name}” is encrypted; pack the files without a password.")
    if entry.compress_type not in METHODS:
        raise SourceRefused(
            f"“{name}” is packed in a rare way (method {entry.compress_type}); use deflate."
        )
    ratio = entries.limits.ratio
    if entry.file_size > max(RATIO_COUNTS_ABOVE, ratio * entry.compress_size):
        raise SourceRefused(
            f"“{name}” unpacks to over {ratio} times its size, as archives made to fill disks "
            "do; deploy the folder instead."
        )
    return wanted


def _judge_overlap(entries: list[zipfile.ZipInfo], directory: int) -> None:
    """Bytes that are used twice: https://www.bamsoftware.com/hacks/zipbomb/"""
    ordered = sorted(entries, key=lambda entry: entry.header_offset)
    if ordered and ordered[0].header_offset < 0:
        raise zipfile.BadZipFile("its beginning is missing")
    starts = [entry.header_offset for entry in ordered] + [directory]
    for entry, following in zip(ordered, starts[1:], strict=True):
        header = LOCAL_HEADER_BYTES + len(entry.orig_filename)
        if entry.header_offset + header + entry.compress_size > following:
            raise SourceRefused(
                f"“{entry.filename}” shares bytes with what follows it, as archives made to fill "
                "disks do; pack it again."
            )


def _extract_one(opened: zipfile.ZipFile, entry: zipfile.ZipInfo, file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    left = entry.file_size
    with opened.open(entry) as packed, file.open("xb") as unpacked:
        while chunk := packed.read(CHUNK):
            left -= len(chunk)
            if left < 0:
                raise SourceRefused(f"“{entry.filename}” is longer than it says; pack it again.")
            unpacked.write(chunk)
    if left:
        raise SourceRefused(f"“{entry.filename}” is shorter than it says; pack it again.")
