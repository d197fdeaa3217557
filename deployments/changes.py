"""What differs between two releases, as a tree that is looked at folder by folder."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from operator import attrgetter

from deployments.manifest import Manifest

ADDED, CHANGED, DELETED = KINDS = ("added", "changed", "deleted")
LAST = chr(0x10FFFF)


@dataclass(frozen=True, slots=True)
class Change:
    """A file; sizes in bytes, None where it is not there. ``same_content``: its headers differ."""

    path: str
    before: int | None
    after: int | None
    same_content: bool = False

    @property
    def kind(self) -> str:
        if self.before is None:
            return ADDED
        return DELETED if self.after is None else CHANGED

    @property
    def size(self) -> int:
        """As it is now, or was."""
        return (self.before or 0) if self.after is None else self.after


@dataclass(frozen=True)
class Folder:
    """``path`` ends with a slash; ``name`` begins where the folder above it ends."""

    path: str
    name: str
    counts: dict[str, int]
    size: int

    @property
    def total(self) -> int:
        return sum(self.counts.values())


@dataclass(frozen=True)
class Changes:
    """Sorted by path."""

    files: Sequence[Change]
    unchanged: int = 0

    @cached_property
    def counts(self) -> dict[str, int]:
        return _counts(self.files)

    @cached_property
    def paths(self) -> list[str]:
        return [change.path for change in self.files]

    def level(self, folder: str = "") -> list[Folder | Change]:
        """What is directly in a folder (with its slash): folders first. One that has nothing but
        another folder is shown together with that."""
        folders: list[Folder | Change] = []
        files: list[Folder | Change] = []
        start, end = self._range(folder)
        while start < end:
            change = self.files[start]
            name, slash, _ = change.path[len(folder) :].partition("/")
            if not slash:
                files.append(change)
                start += 1
                continue
            _, after = self._range(f"{folder}{name}/")
            folders.append(self._folder(folder, start, after))
            start = after
        return folders + files

    def search(self, words: str) -> list[Change]:
        """Whose path has these words, upper or lower case."""
        wanted = words.casefold().split()
        return [
            change
            for change in self.files
            if all(word in change.path.casefold() for word in wanted)
        ]

    def _folder(self, above: str, start: int, end: int) -> Folder:
        # Sorted, the first and the last have in common what all have.
        first, last = self.paths[start], self.paths[end - 1]
        at = next(
            (n for n, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), len(first)
        )
        path = first[: first.rindex("/", 0, at) + 1]
        inside = self.files[start:end]
        size = sum(change.size for change in inside)
        return Folder(path, path[len(above) :], _counts(inside), size)

    def _range(self, folder: str) -> tuple[int, int]:
        end = bisect_left(self.paths, folder + LAST) if folder else len(self.files)
        return bisect_left(self.paths, folder), end


def between(old: Manifest, new: Manifest) -> Changes:
    files = sorted(_changes(old, new), key=attrgetter("path"))
    there = sum(change.after is not None for change in files)
    return Changes(files, len(new.entries) - there)


def _changes(old: Manifest, new: Manifest) -> Iterator[Change]:
    before, after = old.entries, new.entries
    for path, entry in after.items():
        was = before.get(path)
        if was is None:
            yield Change(path, None, entry.size)
        elif was != entry:
            yield Change(path, was.size, entry.size, was.sha256 == entry.sha256)
    for path in before.keys() - after.keys():
        yield Change(path, before[path].size, None)


def _counts(files: Iterable[Change]) -> dict[str, int]:
    found = Counter(change.kind for change in files)
    return {kind: found[kind] for kind in KINDS if found[kind]}
