"""The fewest invalidation paths that cover a change, and what they take besides.

CloudFront counts paths, and one that ends in a wildcard counts as one. Its answers to characters
outside the plain ones are uneven (an encoded ``~`` is accepted and invalidates nothing,
https://github.com/aws/aws-sdk/issues/525; ``*`` must never be encoded, and works at the end alone),
so a path with one of them, ``%`` included, is covered by a wildcard after its last plain character:
right however CloudFront reads the rest.
https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/invalidation-specifying-objects.html
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from urllib.parse import unquote

PLAIN = re.compile(r"[A-Za-z0-9._/-]*")
ORIGIN = re.compile(r"https?://[^/?#]*", re.IGNORECASE)
MAX_LENGTH = 4_000
# In one invalidation; below the 15 wildcards that a distribution has in progress at most.
MAX_PATHS = 10
EXAMPLES = 3


@dataclass(frozen=True)
class Taken:
    """A wildcard, and the files it takes that nobody asked for: how many, and the first few."""

    path: str
    count: int
    examples: tuple[str, ...]


def normalized(path: str) -> str:
    """A path as people give it, with its slash: an address loses its host.

    Raises ValueError, in words, for what names nothing.
    """
    given, path = path, path.strip()
    path = path[found.end() :] or "/" if (found := ORIGIN.match(path)) else path
    if not path:
        raise ValueError("An invalidation path is empty; give one such as /data/* or /feed.xml.")
    if path.startswith("#"):
        raise ValueError(
            f"“{given}” is a cache tag, which sites here do not have; "
            "give a path such as /data/* or /feed.xml."
        )
    if any(ord(character) < 32 for character in path):
        raise ValueError(f"{given!r} has a control character in it; give one path at a time.")
    return "/" + path.lstrip("/")


def cover(paths: Iterable[str], *, wildcard_above: int = MAX_PATHS) -> list[str]:
    """Sorted invalidation paths that cover ``paths``, at most ``wildcard_above`` of them.

    A path may lack its leading slash and may end in ``*``. Beyond the limit whole folders are
    taken, the deepest with the most paths first, so that as little as possible is fetched anew.
    """
    if wildcard_above < 1:
        raise ValueError("wildcard_above is at least 1")
    covered = _without_covered({_plain(path) for path in paths})
    return sorted(_folded(covered, wildcard_above))


def covers(pattern: str, path: str) -> bool:
    """Whether an invalidation path covers another one."""
    if pattern.endswith("*"):
        return path.startswith(pattern[:-1])
    return pattern == path


def wildcards(paths: Iterable[str]) -> int:
    return sum(path.endswith("*") for path in paths)


def taken(paths: Iterable[str], asked: Iterable[str], files: Iterable[str]) -> list[Taken]:
    """What the wildcards among ``paths`` take of ``files`` (a site's paths, as they are on disk)
    that was not ``asked`` for. Wildcards that take nothing else are left out."""
    wanted = {normalized(path) for path in asked}
    wanted |= {unquote(path.partition("?")[0]) for path in wanted}
    intended, sent = _Covering(wanted), _Covering(path for path in paths if path.endswith("*"))
    besides: dict[str, list[str]] = defaultdict(list)
    for file in sorted("/" + file for file in files):
        pattern = sent.pattern_of(file)
        if pattern and not intended.pattern_of(file):
            besides[pattern].append(file)
    return [
        Taken(pattern, len(found), tuple(islice(found, EXAMPLES)))
        for pattern, found in besides.items()
    ]


class _Covering:
    """Looks up which of many patterns covers a path."""

    def __init__(self, patterns: Iterable[str]) -> None:
        kept = _without_covered(set(patterns))
        self._exact = {path for path in kept if not path.endswith("*")}
        self._prefixes = sorted(path[:-1] for path in kept if path.endswith("*"))

    def pattern_of(self, path: str) -> str:
        """Empty when none does."""
        if path in self._exact:
            return path
        # None begins with another, so the only candidate is the last that does not sort after.
        at = bisect_right(self._prefixes, path) - 1
        if at >= 0 and path.startswith(self._prefixes[at]):
            return self._prefixes[at] + "*"
        return ""


def _plain(path: str) -> str:
    path = "/" + path.removeprefix("/")
    plain = PLAIN.match(path)
    length = min(plain.end() if plain else 0, MAX_LENGTH - 1)
    return path if length == len(path) else path[:length] + "*"


def _without_covered(paths: set[str]) -> set[str]:
    kept: set[str] = set()
    # A prefix sorts before what it covers, and its wildcard is the longest one to look for.
    prefixes: list[str] = []
    for path in sorted(paths, key=lambda path: (path.removesuffix("*"), not path.endswith("*"))):
        while prefixes and not path.startswith(prefixes[-1]):
            prefixes.pop()
        if prefixes:
            continue
        kept.add(path)
        if path.endswith("*"):
            prefixes.append(path[:-1])
    return kept


def _folded(paths: set[str], limit: int) -> set[str]:
    """Folders in the place of their paths until ``limit`` is kept: the deepest first, and of one
    depth the fullest."""
    paths = set(paths)
    deepest = max((path.count("/") for path in paths), default=0)
    for depth in range(deepest, 0, -1):
        if len(paths) <= limit:
            break
        folders: dict[str, list[str]] = defaultdict(list)
        for path in paths:
            parts = path.split("/", depth)
            if len(parts) > depth:
                folders["/".join(parts[:depth]) + "/*"].append(path)
        for folder in sorted(folders, key=lambda name: (-len(folders[name]), name)):
            if len(paths) > limit and len(folders[folder]) > 1:
                paths.difference_update(folders[folder])
                paths.add(folder)
    return paths
