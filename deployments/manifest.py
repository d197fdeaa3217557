"""What a release consists of: path -> content hash and headers; and how two releases differ."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import time
import zlib
from collections.abc import Container, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from functools import cached_property
from itertools import islice
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import unquote
from weakref import WeakValueDictionary

import zstandard

from deployments import rule_files
from deployments.files import injection
from deployments.files.caching import cache_control
from deployments.files.caching import survives as survives
from deployments.files.content_types import content_type
from deployments.rule_files import headers as header_files
from deployments.rule_files import redirects as redirect_files
from deployments.rule_files.headers import Rules
from deployments.rule_files.redirects import Redirect
from deployments.source.tree import File, files_of, read

if TYPE_CHECKING:
    from deployments.files.stat_cache import StatCache

Headers: TypeAlias = tuple[tuple[str, str], ...]

FORMAT = 2
BATCH = 1_000
READERS = min(8, (os.cpu_count() or 1) * 2)
READ_WHOLE = 256 * 1024
# Another reader joins when one has waited for the disk most of its time.
WAITS, ASKED_EVERY = 5, 64


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of a release. ``headers`` are those besides the two, names in lower case; sorted."""

    sha256: str
    size: int
    content_type: str
    cache_control: str
    headers: Headers = ()

    def __post_init__(self) -> None:
        if len(self.headers) > 1:
            object.__setattr__(self, "headers", tuple(sorted(self.headers)))

    @property
    def hash(self) -> str:
        """Names the object: it covers the content and the headers."""
        named = [self.sha256, self.content_type, self.cache_control]
        if self.headers:
            named.append(json.dumps(self.headers))
        digest = hashlib.sha256("\0".join(named).encode()).digest()
        return base64.urlsafe_b64encode(digest[:16]).decode().rstrip("=")

    @property
    def attributes(self) -> dict[str, str]:
        """What the object is stored with: S3's own fields by their names, the rest as metadata."""
        return {
            "Content-Type": self.content_type,
            "Cache-Control": self.cache_control,
            **header_files.attributes(self.headers),
        }


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
    """Path (no leading slash) -> entry, and the redirect rules in order. Treat it as a value.

    ``warnings`` are sentences about what was built, and ``injects`` says that the pages are those
    of the folder with the counter's snippet; both are no part of it.
    """

    entries: dict[str, Entry]
    redirects: tuple[Redirect, ...] = ()
    warnings: tuple[str, ...] = field(default=(), compare=False)
    injects: bool = field(default=False, compare=False)

    def object_keys(self) -> set[str]:
        return {object_key(path, entry) for path, entry in self.entries.items()}

    def to_bytes(self) -> bytes:
        """Compressed JSON; equal manifests give equal bytes."""
        return self._bytes

    @cached_property
    def _bytes(self) -> bytes:
        raw = zstandard.compress(b"".join(self._json()))
        _alive.setdefault(raw, self)
        return raw

    def _json(self) -> Iterator[bytes]:
        """Piece by piece, or all of it would be in memory twice more."""
        kinds = sorted({_kind(entry) for entry in self.entries.values()})
        number = {kind: n for n, kind in enumerate(kinds)}
        others = {"v": FORMAT, "h": kinds, "r": list(map(asdict, self.redirects))}
        yield b'{"f":{'
        paths = iter(sorted(self.entries))
        comma = b""
        while batch := list(islice(paths, BATCH)):
            files = ((path, self.entries[path]) for path in batch)
            rows = {path: (e.sha256, e.size, number[_kind(e)]) for path, e in files}
            yield comma + _dumped(rows)[1:-1]
            comma = b","
        yield b"}," + _dumped(others)[1:]

    @classmethod
    def from_bytes(cls, raw: bytes) -> Manifest:
        """What :meth:`to_bytes` made; nothing is an empty manifest. Raises ValueError."""
        if not raw:
            return cls({})
        manifest = _alive.get(raw)
        if manifest is None:
            manifest = _alive[raw] = cls._parsed(raw)
        return manifest

    @classmethod
    def _parsed(cls, raw: bytes) -> Manifest:
        try:
            is_new = raw.startswith(zstandard.FRAME_HEADER)
            unpack = zstandard.decompress if is_new else zlib.decompress
            stored = json.loads(unpack(raw).decode())
        except (zlib.error, zstandard.ZstdError) as error:
            raise ValueError("these bytes are no manifest") from error
        if stored["v"] > FORMAT:
            raise ValueError(f"a manifest of format {stored['v']}; this version reads {FORMAT}")
        kinds = [
            (content_type, cache_control, tuple((name, value) for name, value in headers))
            for content_type, cache_control, *headers in stored["h"]
        ]
        entries = stored["f"]
        # The release before has most of them.
        like = max((each.entries for each in [*_alive.values()]), key=len, default={})
        for path, (sha256, size, number) in entries.items():
            entry, known = Entry(sha256, size, *kinds[number]), like.get(path)
            entries[path] = known if known == entry else entry  # in place of the row
        redirects = (
            Redirect(**rule | {"conditions": {k: tuple(v) for k, v in rule["conditions"].items()}})
            for rule in stored.get("r", ())
        )
        return cls(entries, tuple(redirects))


def _dumped(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":"), sort_keys=True).encode()


# Those that somebody has, by their bytes: one of 100,000 files takes 35 MB, and half a second to
# read.
_alive: WeakValueDictionary[bytes, Manifest] = WeakValueDictionary()


def object_key(path: str, entry: Entry) -> str:
    """Where the bucket holds a file. An object under this key never changes."""
    return f"objects/{entry.hash}/{path}"


def diff(old: Manifest, new: Manifest) -> Diff:
    """What changes for visitors: a changed header is a change."""
    before, after = old.entries, new.entries
    changed: list[str] = []
    unchanged: list[str] = []
    for path in sorted(before.keys() & after.keys()):
        (unchanged if before[path] == after[path] else changed).append(path)
    return Diff(
        added=tuple(sorted(after.keys() - before.keys())),
        changed=tuple(changed),
        deleted=tuple(sorted(before.keys() - after.keys())),
        unchanged=tuple(unchanged),
    )


def build(
    root: Path,
    *,
    cache: StatCache | None = None,
    files: Iterable[File] | None = None,
    injects: bool = False,
) -> Manifest:
    """Read every file under ``root`` once, several at a time, except those that ``cache`` knows.

    ``files`` are those that :func:`files_of` found. ``_headers`` and ``_redirects`` are followed,
    not published. With ``injects`` pages get the counter's snippet; ``cache`` is of the same
    choice. Raises SourceRefused and OSError.
    """
    rules = header_files.parse(rule_files.read(root / header_files.FILE_NAME))
    redirects = redirect_files.parse(rule_files.read(root / redirect_files.FILE_NAME))
    followed = {header_files.FILE_NAME, redirect_files.FILE_NAME}
    found = files_of(root) if files is None else files
    wanted = (file for file in found if file.path not in followed)
    entries = _Reading(root, wanted, rules, cache, injects).run()
    if cache is not None:
        cache.save()
    warnings = [*_warnings(entries, redirects), *(_not_injected(entries) if injects else ())]
    return Manifest(entries, redirects, tuple(warnings), injects)


class _Reading:
    """Files, read by one thread, and by more where that is faster."""

    def __init__(
        self,
        root: Path,
        files: Iterator[File],
        rules: Rules,
        cache: StatCache | None,
        injects: bool,
    ) -> None:
        self.root, self.rules, self.cache = os.fspath(root), rules, cache
        self.injects = injects
        self.unknown = self._unknown(files)
        self.taking = Lock()
        self.pool = ThreadPoolExecutor(READERS)
        self.readers: list[Future[None]] = []
        self.entries: dict[str, Entry] = {}

    def run(self) -> dict[str, Entry]:
        with self.pool:
            self._join()
            for reader in self.readers:  # It grows meanwhile.
                reader.result()
        return dict(sorted(self.entries.items()))

    def _unknown(self, files: Iterator[File]) -> Iterator[File]:
        """Those that have to be read; the others are entered on the way."""
        for file in files:
            known = self.cache.get(file.stat, file.path) if self.cache else None
            if known is None:
                yield file
            else:
                self._enter(file.path, *known)

    def _join(self) -> None:
        with self.taking:
            if len(self.readers) < READERS:
                self.readers.append(self.pool.submit(self._read))

    def _read(self) -> None:
        started, cpu = time.monotonic(), time.thread_time()
        for count, file in enumerate(self._taken(), start=1):
            sha256, size = self._sha256(file.path, file.size)
            if self.cache:
                self.cache.put(file.stat, file.path, sha256, size)
            self._enter(file.path, sha256, size)
            # Small files in memory are read faster by one: several wait for the interpreter's lock.
            if size > READ_WHOLE:
                self._join()
            elif count % ASKED_EVERY == 0:
                waited = time.monotonic() - started > WAITS * (time.thread_time() - cpu)
                if waited:
                    self._join()

    def _taken(self) -> Iterator[File]:
        while True:
            with self.taking:
                file = next(self.unknown, None)
            if file is None:
                return
            yield file

    def _sha256(self, path: str, size: int) -> tuple[str, int]:
        """In hex, and how many bytes it is of: those that are sent."""
        file = os.path.join(self.root, path)
        is_changed = self.injects and injection.is_page(self._type(path))
        most = injection.LARGEST if is_changed else READ_WHOLE
        if size <= most and len(content := read(file, size)) == size:
            content = injection.inject(content) if is_changed else content
            return hashlib.sha256(content).hexdigest(), len(content)
        with open(file, "rb", buffering=0) as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest(), stream.tell()

    def _type(self, path: str) -> str:
        return self.rules.rules_for(path).content_type or content_type(path)

    def _enter(self, path: str, sha256: str, size: int) -> None:
        rule = self.rules.rules_for(path)
        self.entries[path] = Entry(
            sha256,
            size,
            rule.content_type or content_type(path),
            rule.cache_control or cache_control(path),
            rule.headers,
        )


def _kind(entry: Entry) -> tuple[str | tuple[str, str], ...]:
    return entry.content_type, entry.cache_control, *entry.headers


def _warnings(entries: Container[str], redirects: Iterable[Redirect]) -> Iterator[str]:
    if "netlify.toml" in entries:
        yield (
            "netlify.toml is not read, and is published like any file: put its headers into "
            "“_headers”, its redirects into “_redirects”, and leave it out."
        )
    for rule in redirects:
        path = unquote(rule.target)[1:]
        pages = {path, f"{path}.html", f"{path}/index.html".lstrip("/"), f"{path}index.html"}
        if rule.shows_page and not any(page in entries for page in pages):
            yield f"_redirects: “{rule.source}” shows “{rule.target}”, and there is no such page."


def _not_injected(entries: Mapping[str, Entry]) -> Iterator[str]:
    for path, entry in entries.items():
        if entry.size > injection.LARGEST and injection.is_page(entry.content_type):
            yield (
                f"“{path}” is too large for the counter's snippet to be put into it; put it in by "
                f"hand: {injection.SNIPPET.decode()}"
            )
