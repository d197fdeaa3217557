"""The fewest invalidation paths that cover a change.

CloudFront counts paths, and one that ends in a wildcard counts as one. Its answers to characters
outside the plain ones are uneven (an encoded ``~`` is accepted and invalidates nothing), so a path
with one of them is covered by a wildcard after its last plain character.
https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/invalidation-specifying-objects.html
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

PLAIN = re.compile(r"[A-Za-z0-9._/-]*")
MAX_LENGTH = 4_000


def cover(paths: Iterable[str], *, wildcard_above: int = 10) -> list[str]:
    """Sorted invalidation paths that cover ``paths``, at most ``wildcard_above`` of them.

    A path may lack its leading slash and may end in ``*``. Beyond the limit whole folders are
    taken, the deepest with the most paths first, so that as little as possible is fetched anew.
    """
    if wildcard_above < 1:
        raise ValueError("wildcard_above is at least 1")
    covered = _without_covered({_plain(path) for path in paths})
    while len(covered) > wildcard_above:
        covered = _without_covered(covered | {_best_folder(covered)})
    return sorted(covered)


def covers(pattern: str, path: str) -> bool:
    """Whether an invalidation path covers another one."""
    if pattern.endswith("*"):
        return path.startswith(pattern[:-1])
    return pattern == path


def _plain(path: str) -> str:
    path = "/" + path.removeprefix("/")
    plain = PLAIN.match(path)
    length = min(plain.end() if plain else 0, MAX_LENGTH - 1)
    return path if length == len(path) else path[:length] + "*"


def _without_covered(paths: set[str]) -> set[str]:
    kept: set[str] = set()
    # A prefix sorts before what it covers, and its wildcard is the longest one to look for.
    wildcards: list[str] = []
    for path in sorted(paths, key=lambda path: (path.removesuffix("*"), not path.endswith("*"))):
        while wildcards and not path.startswith(wildcards[-1]):
            wildcards.pop()
        if wildcards:
            continue
        kept.add(path)
        if path.endswith("*"):
            wildcards.append(path[:-1])
    return kept


def _best_folder(paths: set[str]) -> str:
    """The wildcard of the deepest folder with at least two paths, the fullest of that depth."""
    folders = Counter(
        "/".join(parts[:depth]) + "/*"
        for path in paths
        for parts in [path.split("/")]
        for depth in range(1, len(parts))
    )
    return max(
        (folder for folder, count in folders.items() if count > 1),
        key=lambda folder: (folder.count("/"), folders[folder], folder),
    )
