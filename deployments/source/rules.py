"""Which entries may become files of a site: one judge for whatever brings them."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field

GB = 1024**3
# objects/<hash>/ takes 31 bytes of the 1,024 of a key.
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html
MAX_PATH_BYTES = 900
MAX_NAME_BYTES = 255

JUNK = frozenset({"__MACOSX", ".DS_Store", "Thumbs.db", "desktop.ini"})
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
# Bytes that are no UTF-8, as Python reads them from a disk.
UNDECODED = re.compile(r"[\ud800-\udfff]")
# They show a name in another order than it has: https://trojansource.codes/
REORDERING = re.compile(r"[\u202a-\u202e\u2066-\u2069]")
SUSPECT = re.compile(rf"{CONTROL.pattern}|{UNDECODED.pattern}|{REORDERING.pattern}")
DRIVE = re.compile(r"[A-Za-z]:")
# Folders of a site that a release has no say in (DESIGN section 5).
RESERVED = {
    "data": "“data/” belongs to the site's functions; a release never touches it.",
    "_cloudadmin": "“_cloudadmin/” is where the site's counter answers.",
}


class SourceRefused(Exception):
    """The source cannot be deployed. The message says which entry, why, and what to try."""


@dataclass(frozen=True)
class Limits:
    """What a source may cost: files, bytes of one and of all, seconds for what comes by network.

    ``ratio`` is unpacked to packed bytes: deflate reaches 1,000, what people publish seldom 50.
    """

    files: int = 200_000
    file_bytes: int = 1 * GB
    total_bytes: int = 5 * GB
    ratio: int = 200
    seconds: int = 600


LIMITS = Limits()


@dataclass
class Entries:
    """What wants to become a folder, judged entry by entry before the first file is written."""

    limits: Limits = LIMITS
    count: int = 0
    bytes: int = 0
    _files: dict[str, str] = field(default_factory=dict)
    _folders: set[str] = field(default_factory=set)

    def admit(self, name: str, size: int = 0, *, is_folder: bool = False) -> bool:
        """Whether to write a file of this name; what file managers leave behind is passed over.

        Raises SourceRefused.
        """
        judge_name(name)
        self.count += 1
        self.bytes += size
        if self.count > self.limits.files:
            raise SourceRefused(f"more than {self.limits.files:,} files; split the site in two.")
        if size > self.limits.file_bytes:
            raise SourceRefused(
                f"“{name}” is larger than {in_words(self.limits.file_bytes)}; host it elsewhere."
            )
        if self.bytes > self.limits.total_bytes:
            raise SourceRefused(
                f"more than {in_words(self.limits.total_bytes)} in all, reached at “{name}”; "
                "split the site."
            )
        if is_folder or is_junk(name):
            return False
        self._note(name)
        return True

    def close(self, *, enter: bool = False) -> str:
        """Judge what shows in the end only. Returns what to cut off the names: with ``enter``,
        the single folder that everything is in, as in ``dist/``. Raises SourceRefused.
        """
        both = next((name for folded, name in self._files.items() if folded in self._folders), None)
        if both is not None:
            raise SourceRefused(f"“{both}” is both a file and a folder; pack it again.")
        tops = {name.partition("/")[0] for name in self._files.values()}
        top = f"{next(iter(tops))}/" if enter and len(tops) == 1 else ""
        if top and not all(name.startswith(top) for name in self._files.values()):
            top = ""
        for name in self._files.values():
            judge_place(name.removeprefix(top))
        return top

    def _note(self, name: str) -> None:
        """One file a name, also where case and the encoding of accents do not count."""
        folded = name.casefold() if name.isascii() else _folded(name)
        if folded in self._files:
            raise SourceRefused(
                f"“{self._files[folded]}” and “{name}” are one name on some machines, or twice the "
                "same; rename one of them."
            )
        self._files[folded] = name
        while (cut := folded.rfind("/")) > 0:
            folded = folded[:cut]
            if folded in self._folders:
                break
            self._folders.add(folded)


def is_junk(path: str) -> bool:
    """What file managers leave behind; it is passed over."""
    return any(map(is_junk_name, path.split("/")))


def is_junk_name(name: str) -> bool:
    return name in JUNK or name.startswith("._")


def judge(path: str) -> None:
    """Refuse a path of a site, relative and with slashes, that cannot be published."""
    judge_name(path)
    judge_place(path)


def judge_name(name: str) -> None:
    """Refuse a name that could lead out of its folder, or that nobody could type."""
    if SUSPECT.search(name):
        _refuse_characters(name)
    if name.startswith("/") or DRIVE.match(name):
        raise SourceRefused(f"“{name}”: an absolute name; pack the files with relative names.")
    if "\\" in name:
        raise SourceRefused(f"“{name}”: a name with a backslash; use slashes between folders.")
    parts = name.split("/")
    if "" in parts or "." in parts or ".." in parts:
        raise SourceRefused(f"“{name}”: a name with “..”, “.” or an empty part; pack it anew.")


def judge_place(path: str) -> None:
    """Refuse a path that the bucket cannot hold, or that is not a release's to fill."""
    if len(path) * 4 > MAX_NAME_BYTES and _is_long(path):
        raise SourceRefused(
            f"“{path[:60]}…”: longer than {MAX_PATH_BYTES} bytes, or {MAX_NAME_BYTES} in one name, "
            "which a bucket cannot hold; shorten it."
        )
    top = path.partition("/")[0]
    if top in RESERVED:
        raise SourceRefused(f"“{path}”: {RESERVED[top]} Call it something else.")


def in_words(size: int) -> str:
    """A limit in bytes, for people."""
    for unit, name in ((GB, "GB"), (1024**2, "MB")):
        if size >= unit:
            return f"{size / unit:.4g} {name}"
    return f"{size:,} bytes"


def _refuse_characters(name: str) -> None:
    shown = name.encode("unicode_escape").decode()
    if UNDECODED.search(name):
        raise SourceRefused(f"“{shown}”: a name that is not UTF-8; rename the file.")
    if CONTROL.search(name):
        raise SourceRefused(f"“{shown}”: a name with control characters; rename the file.")
    raise SourceRefused(
        f"“{shown}”: a name with characters that reorder how it is shown; rename the file."
    )


def _is_long(path: str) -> bool:
    if len(path.encode()) > MAX_PATH_BYTES:
        return True
    return any(len(part.encode()) > MAX_NAME_BYTES for part in path.split("/"))


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
