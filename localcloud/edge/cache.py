"""The cache of one point of presence: least recently used out, bounded in bytes."""

from __future__ import annotations

import re
import time
from collections import OrderedDict
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from email.utils import parsedate_to_datetime

from localcloud.edge.config import CachePolicy

LIMIT = 256 * 1024 * 1024  # bytes
OVERHEAD = 1024  # bytes counted for an entry besides its body

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Stored:
    """A response as the origin gave it. ``paths``: the viewer's, and the one a function made."""

    status: int
    headers: Headers
    body: bytes
    paths: frozenset[str] = frozenset()
    ttl: float = 0
    stored_at: float = field(default_factory=time.monotonic)
    x_cache: str = "Miss from cloudfront"

    @property
    def age(self) -> int:
        return int(time.monotonic() - self.stored_at)

    @property
    def fresh(self) -> bool:
        return time.monotonic() - self.stored_at < self.ttl

    def header(self, name: str) -> str:
        return next((value for key, value in self.headers if key.lower() == name), "")


class Cache:
    """``key`` starts with the distribution's id."""

    def __init__(self, limit: int = LIMIT) -> None:
        self.limit = limit
        self.bytes = 0
        self.invalidations = 0
        self._entries: OrderedDict[tuple[Hashable, ...], Stored] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: tuple[Hashable, ...], viewer_path: str) -> Stored | None:
        """The entry while it is fresh. It remembers each viewer's path that led to it."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        if not entry.fresh:
            self._drop(key)
            return None
        if viewer_path not in entry.paths:
            entry = replace(entry, paths=entry.paths | {viewer_path})
            self._entries[key] = entry
        self._entries.move_to_end(key)
        return entry

    def put(self, key: tuple[Hashable, ...], entry: Stored, invalidations: int) -> None:
        """``invalidations``: the count when the origin was asked. What was asked for before an
        invalidation may be what it invalidates, and is not kept."""
        self._drop(key)
        if (
            invalidations != self.invalidations
            or entry.ttl <= 0
            or len(entry.body) + OVERHEAD > self.limit
        ):
            return
        self._entries[key] = entry
        self.bytes += len(entry.body) + OVERHEAD
        while self.bytes > self.limit:
            self._drop(next(iter(self._entries)))

    def invalidate(self, distribution_id: str, paths: Iterable[str]) -> int:
        """Drops what the paths name, ``*`` at the end being a wildcard. Returns how many.

        https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/invalidation-specifying-objects.html
        """
        self.invalidations += 1
        wanted = [_matcher(path) for path in paths]
        gone = [
            key
            for key, entry in self._entries.items()
            if key[0] == distribution_id
            and any(pattern.fullmatch(path) for pattern in wanted for path in entry.paths)
        ]
        for key in gone:
            self._drop(key)
        return len(gone)

    def _drop(self, key: tuple[Hashable, ...]) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self.bytes -= len(entry.body) + OVERHEAD


def _matcher(path: str) -> re.Pattern[str]:
    path = "/" + path.lstrip("/")
    if path.endswith("*"):
        return re.compile(re.escape(path[:-1]) + ".*", re.DOTALL)
    return re.compile(re.escape(path))


def directives(cache_control: str) -> Iterator[tuple[str, str]]:
    for part in cache_control.split(","):
        name, _, value = part.strip().partition("=")
        if name:
            yield name.lower(), value.strip('"')


def ttl(policy: CachePolicy, cache_control: str, expires: str = "", date: str = "") -> float:
    """How long CloudFront keeps a response, in seconds.

    https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/Expiration.html
    """
    said = dict(directives(cache_control))
    if said.keys() & {"no-store", "no-cache", "private"}:
        return policy.min_ttl
    for name in ("s-maxage", "max-age"):
        if said.get(name, "").isdigit():
            return min(max(int(said[name]), policy.min_ttl), policy.max_ttl)
    if expires:
        return min(max(_seconds_until(expires, date), policy.min_ttl), policy.max_ttl)
    return max(policy.default_ttl, policy.min_ttl)


def _seconds_until(expires: str, date: str) -> float:
    try:
        end = parsedate_to_datetime(expires).timestamp()
        return end - (parsedate_to_datetime(date).timestamp() if date else time.time())
    except ValueError:
        return 0
