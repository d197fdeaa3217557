"""Zip archives: every entry is judged before one is extracted.

``zipfile`` renames what it finds dangerous and keeps silent about it, so nothing is left to it.
"""

from __future__ import annotations

import lzma
import stat
import unicodedata
import zipfile
import zlib
from pathlib import Path
from typing import IO

from deployments.source.rules import SourceRefused, is_junk, judge
from deployments.source.tree import MAX_FILES

GB = 1024**3
# What one file of a site may weigh: CloudFront caches up to 50 GB, visitors have less patience.
MAX_FILE_BYTES = 1 * GB
MAX_TOTAL_BYTES = 5 * GB
# Deflate reaches 1,000 to 1; what people publish, seldom 50.
MAX_RATIO = 200
RATIO_COUNTS_ABOVE = 10 * 1024**2
LOCAL_HEADER_BYTES = 30
CHUNK = 1024**2

BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    NotImplementedError,
    RuntimeError,
    UnicodeDecodeError,
    ValueError,
)


def extract(archive: Path, target: Path) -> Path:
    """Extract into the empty folder ``target``; the site's root: a single top folder is entered."""
    try:
        with zipfile.ZipFile(archive) as opened:
            wanted = judged(opened)
            for entry in wanted:
                _extract_one(opened, entry, target)
    except BROKEN as error:
        raise SourceRefused(f"{archive.name} is broken ({error}); pack it again.") from error
    inside = list(target.iterdir())
    return inside[0] if len(inside) == 1 and inside[0].is_dir() else target


def judged(opened: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    """The files to extract. Raises SourceRefused about the first entry that is not welcome."""
    entries = opened.infolist()
    if len(entries) > MAX_FILES:
        raise SourceRefused(f"the archive has more than {MAX_FILES:,} entries; split the site.")
    files = []
    for entry in entries:
        _judge_entry(entry)
        if not entry.orig_filename.endswith("/") and not is_junk(entry.orig_filename):
            files.append(entry)
    if sum(entry.file_size for entry in entries) > MAX_TOTAL_BYTES:
        raise SourceRefused(
            f"the archive unpacks to more than {MAX_TOTAL_BYTES // GB} GB; split it."
        )
    _judge_names(files)
    _judge_overlap(entries, opened.start_dir)
    return files


def _judge_entry(entry: zipfile.ZipInfo) -> None:
    # The name as it is in the archive; .filename has been tidied already.
    name = entry.orig_filename
    judge(name.removesuffix("/"))
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind not in {0, stat.S_IFREG, stat.S_IFDIR}:
        raise SourceRefused(
            f"“{name}” is a link or a special file; pack what it points to instead."
        )
    if entry.flag_bits & 0x1:
        raise SourceRefused(f"“{name}” is encrypted; pack the files without a password.")
    if entry.file_size > MAX_FILE_BYTES:
        raise SourceRefused(
            f"“{name}” is larger than {MAX_FILE_BYTES // GB} GB; host it elsewhere."
        )
    if entry.file_size > max(RATIO_COUNTS_ABOVE, MAX_RATIO * entry.compress_size):
        raise SourceRefused(
            f"“{name}” unpacks to over {MAX_RATIO} times its size, as archives made to fill disks "
            "do; deploy the folder instead."
        )


def _judge_names(files: list[zipfile.ZipInfo]) -> None:
    """One file a name, also where case and accents' encoding do not count."""
    seen: dict[str, str] = {}
    folders: set[str] = set()
    for entry in files:
        name = entry.orig_filename
        folded = unicodedata.normalize("NFC", name).casefold()
        if folded in seen:
            raise SourceRefused(
                f"“{seen[folded]}” and “{name}” are one name on some machines; rename one of them."
            )
        seen[folded] = name
        parts = folded.split("/")[:-1]
        folders.update("/".join(parts[:n]) for n in range(1, len(parts) + 1))
    both = next((seen[folded] for folded in seen.keys() & folders), None)
    if both is not None:
        raise SourceRefused(f"“{both}” is both a file and a folder; pack it again.")


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


def _extract_one(opened: zipfile.ZipFile, entry: zipfile.ZipInfo, target: Path) -> None:
    file = target / entry.orig_filename
    file.parent.mkdir(parents=True, exist_ok=True)
    with opened.open(entry) as packed, file.open("xb") as unpacked:
        _copy(packed, unpacked, entry)


def _copy(packed: IO[bytes], unpacked: IO[bytes], entry: zipfile.ZipInfo) -> None:
    left = entry.file_size
    while chunk := packed.read(CHUNK):
        left -= len(chunk)
        if left < 0:
            raise SourceRefused(f"“{entry.filename}” is longer than it says; pack it again.")
        unpacked.write(chunk)
    if left:
        raise SourceRefused(f"“{entry.filename}” is shorter than it says; pack it again.")
