"""What a release consists of: path -> content hash and headers; and how two releases differ."""

from __future__ import annotations

import base64
import hashlib
import json
import mimetypes
import os
import re
import zlib
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from itertools import islice, pairwise
from pathlib import Path, PurePosixPath
from typing import TypeVar

from deployments.source.tree import files_of

T = TypeVar("T")

FORMAT = 1
HASHED_AT_ONCE = 1_000

IMMUTABLE = "public, max-age=31536000, immutable"
# Safe although the edge keeps it for a year: the address that it caches holds the object's hash.
REVALIDATED = "public, max-age=0, s-maxage=31536000, must-revalidate"

# One table, because what the operating system says differs from machine to machine.
CONTENT_TYPES = {
    suffix: content_type
    for content_type, suffixes in {
        "application/atom+xml": "atom",
        "application/gzip": "gz tgz",
        "application/json": "json map",
        "application/ld+json": "jsonld",
        "application/manifest+json": "webmanifest",
        "application/pdf": "pdf",
        "application/rss+xml": "rss",
        "application/wasm": "wasm",
        "application/x-tar": "tar",
        "application/xhtml+xml": "xhtml",
        "application/xml": "xml xsl",
        "application/zip": "zip",
        "audio/flac": "flac",
        "audio/mp4": "m4a",
        "audio/mpeg": "mp3",
        "audio/ogg": "ogg oga opus",
        "audio/wav": "wav",
        "font/collection": "ttc",
        "font/otf": "otf",
        "font/ttf": "ttf",
        "font/woff": "woff",
        "font/woff2": "woff2",
        "image/avif": "avif",
        "image/bmp": "bmp",
        "image/gif": "gif",
        "image/heic": "heic",
        "image/jpeg": "jpg jpeg",
        "image/jxl": "jxl",
        "image/png": "png apng",
        "image/svg+xml": "svg",
        "image/tiff": "tif tiff",
        "image/vnd.microsoft.icon": "ico cur",
        "image/webp": "webp",
        "model/gltf-binary": "glb",
        "model/gltf+json": "gltf",
        "text/calendar": "ics",
        "text/css": "css",
        "text/csv": "csv",
        "text/html": "html htm",
        "text/javascript": "js mjs cjs",
        "text/markdown": "md markdown",
        "text/plain": "txt text log asc",
        "text/vcard": "vcf",
        "text/vtt": "vtt",
        "video/mp4": "mp4 m4v",
        "video/ogg": "ogv",
        "video/quicktime": "mov",
        "video/webm": "webm",
    }.items()
    for suffix in suffixes.split()
}
# XML says its own encoding, which a charset here would overrule (RFC 7303, section 3.2).
WITH_CHARSET = re.compile(r"text/(?!xml$)|application/(?:\w+\+)?json$")

CODE = frozenset(["js", "mjs", "cjs", "css", "wasm", "map", "woff", "woff2", "ttf", "otf", "ttc"])
PAGES = frozenset(["html", "htm", "xhtml"])
# Folders in which Astro, Next.js and SvelteKit put nothing but files named after their content.
IMMUTABLE_FOLDERS = re.compile(r"(?:^|/)(?:_app/immutable|_astro|_next/static)/")
HEX_HASH = re.compile(r"(?=.*[0-9])(?=.*[a-f])[0-9a-f]{8,64}")
UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
MIXED_HASH = re.compile(r"(?=.*[0-9])(?=.*[A-Z])[0-9A-Za-z]{8,32}")


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of a release. ``hash`` names the object: it covers the content and the headers."""

    sha256: str
    size: int
    content_type: str
    cache_control: str
    hash: str = field(init=False)

    def __post_init__(self) -> None:
        named = "\0".join((self.sha256, self.content_type, self.cache_control))
        digest = hashlib.sha256(named.encode()).digest()
        name = base64.urlsafe_b64encode(digest[:16]).decode().rstrip("=")
        object.__setattr__(self, "hash", name)


@dataclass(frozen=True)
class Diff:
    """Paths, sorted."""

    added: tuple[str, ...]
    changed: tuple[str, ...]
    deleted: tuple[str, ...]
    unchanged: tuple[str, ...]

    def to_upload(self) -> tuple[str, ...]:
        return self.added + self.changed


@dataclass(frozen=True)
class Manifest:
    """Path (no leading slash) -> entry. Treat it as a value."""

    entries: dict[str, Entry]

    def object_keys(self) -> set[str]:
        return {object_key(path, entry) for path, entry in self.entries.items()}

    def to_bytes(self) -> bytes:
        """Compressed JSON; equal manifests give equal bytes."""
        headers = sorted({(e.content_type, e.cache_control) for e in self.entries.values()})
        number = {pair: n for n, pair in enumerate(headers)}
        files = {
            path: [entry.sha256, entry.size, number[entry.content_type, entry.cache_control]]
            for path, entry in sorted(self.entries.items())
        }
        text = json.dumps({"v": FORMAT, "h": headers, "f": files}, separators=(",", ":"))
        return zlib.compress(text.encode(), 6)

    @classmethod
    def from_bytes(cls, raw: bytes) -> Manifest:
        """What :meth:`to_bytes` made; nothing is an empty manifest. Raises ValueError."""
        if not raw:
            return cls({})
        try:
            stored = json.loads(zlib.decompress(raw))
        except zlib.error as error:
            raise ValueError("these bytes are no manifest") from error
        if stored["v"] != FORMAT:
            raise ValueError(f"a manifest of format {stored['v']}; this version reads {FORMAT}")
        headers = stored["h"]
        return cls(
            {
                path: Entry(sha256, size, *headers[number])
                for path, (sha256, size, number) in stored["f"].items()
            }
        )


def object_key(path: str, entry: Entry) -> str:
    """Where the bucket holds a file. An object under this key never changes."""
    return f"objects/{entry.hash}/{path}"


def diff(old: Manifest, new: Manifest) -> Diff:
    """What changes for visitors: a changed header is a change."""
    before, after = old.entries, new.entries
    both = sorted(before.keys() & after.keys())
    return Diff(
        added=tuple(sorted(after.keys() - before.keys())),
        changed=tuple(path for path in both if before[path].hash != after[path].hash),
        deleted=tuple(sorted(before.keys() - after.keys())),
        unchanged=tuple(path for path in both if before[path].hash == after[path].hash),
    )


def build(root: Path) -> Manifest:
    """Hash every file under ``root``, several at once. Raises SourceRefused and OSError."""

    def hashed(item: tuple[str, Path]) -> tuple[str, Entry]:
        path, file = item
        with file.open("rb") as stream:
            sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
            size = stream.tell()
        return path, Entry(sha256, size, content_type(path), cache_control(path))

    entries: dict[str, Entry] = {}
    with ThreadPoolExecutor(max_workers=min(8, (os.cpu_count() or 1) * 2)) as pool:
        for chunk in _chunks(files_of(root), HASHED_AT_ONCE):
            entries.update(pool.map(hashed, chunk))
    return Manifest(entries)


def content_type(path: str) -> str:
    """By the name alone: nothing is guessed from the content."""
    name = PurePosixPath(path)
    suffix = name.suffix[1:].lower()
    found = CONTENT_TYPES.get(suffix)
    if found is None and not suffix and ".well-known" in name.parts[:-1]:
        # Apple wants JSON; the others (ACME, security contacts) are plain text.
        # https://developer.apple.com/documentation/xcode/supporting-associated-domains
        found = "application/json" if name.name == "apple-app-site-association" else "text/plain"
    found = found or _mime_types().guess_type(name.name)[0] or "application/octet-stream"
    return f"{found}; charset=utf-8" if WITH_CHARSET.match(found) else found


def cache_control(path: str) -> str:
    return IMMUTABLE if is_fingerprinted(path) else REVALIDATED


def is_fingerprinted(path: str) -> bool:
    """Whether the name holds a hash of the content, so that the file can never change.

    A name taken for a hash by mistake would be kept by browsers for a year, a hash that is missed
    costs a question: so dates, versions and words with a digit are not hashes. Mixed case (Vite,
    esbuild) counts for code alone: ``IMG1234A.jpg`` is a photo.
    """
    name = PurePosixPath(path)
    suffix = name.suffix[1:].lower()
    if suffix in PAGES:
        return False
    if IMMUTABLE_FOLDERS.search(path):
        return True
    if UUID.search(path):
        return False
    parts = re.split(r"[.\-_~]", name.name)[:-1]
    if any(HEX_HASH.fullmatch(part) for n, part in enumerate(parts) if n or len(part) >= 16):
        return True
    return suffix in CODE and any(map(_looks_random, parts[1:]))


def survives(path: str) -> bool:
    """Whether a file that a release no longer has stays for tabs that are still open.

    What only pages load does; pages, documents and images that were deleted are gone at once.
    """
    return PurePosixPath(path).suffix[1:].lower() in CODE or is_fingerprinted(path)


def _looks_random(part: str) -> bool:
    kinds = ["0" if c.isdigit() else "A" if c.isupper() else "a" for c in part]
    changes = sum(one != other for one, other in pairwise(kinds))
    return MIXED_HASH.fullmatch(part) is not None and changes >= 3


@cache
def _mime_types() -> mimetypes.MimeTypes:
    """Python's own table, without what the machine's files add to it."""
    return mimetypes.MimeTypes()


def _chunks(items: Iterable[T], size: int) -> Iterator[list[T]]:
    iterator = iter(items)
    while chunk := list(islice(iterator, size)):
        yield chunk
