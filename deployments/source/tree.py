"""A folder of files, walked in order and judged."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from deployments.source.rules import (
    KEY_HEADER_WITHIN,
    KEY_NAME,
    SourceRefused,
    is_junk,
    judge,
    judge_key,
    judge_secrecy,
)

MAX_FILES = 200_000
# Readable by everybody, and still nothing for a website.
SYSTEM_FOLDERS = frozenset({"dev", "etc", "proc", "run", "sys"})
# What a source project has at its top, and what its build makes of it.
PROJECTS = {
    "package.json": "run `npm run build` and deploy its output, mostly “dist”, “build” or “out”",
    "hugo.toml": "run `hugo` and deploy “public”",
    "config.toml": "run `hugo` or `zola build` and deploy “public”",
    "_config.yml": "run `bundle exec jekyll build` and deploy “_site”",
    "mkdocs.yml": "run `mkdocs build` and deploy “site”",
    "conf.py": "run `sphinx-build -b html . _build/html` and deploy “_build/html”",
    "Cargo.toml": "build the site and deploy its output folder",
}


def files_of(root: Path) -> Iterator[tuple[str, Path]]:
    """``(path, file)`` of every file, sorted by folder; links within the folder are followed.

    A link that leaves the folder is followed to a single file that everybody on the machine may
    read, as Debian's packages link to shared scripts. Raises SourceRefused for the other ones, for
    links that go round in circles, and for special files.
    """
    yield from _walk(root, "", root.resolve(), frozenset())


def check(root: Path) -> None:
    """Refuse a folder that is empty, is no site, or holds what must not be published."""
    count = 0
    for path, file in files_of(root):
        judge(path)
        if KEY_NAME.fullmatch(file.name):
            with file.open("rb") as stream:
                judge_key(path, stream.read(KEY_HEADER_WITHIN))
        count += 1
        if count > MAX_FILES:
            raise SourceRefused(f"more than {MAX_FILES:,} files; split the site in two.")
    if not count:
        raise SourceRefused("there are no files in it; deploy the folder that the build wrote.")
    if not (root / "index.html").is_file():
        raise SourceRefused(_without_index(root))


def _without_index(root: Path) -> str:
    for name, advice in PROJECTS.items():
        if (root / name).is_file():
            return (
                f"there is {name} but no index.html: it looks like source, not a build; {advice}."
            )
    return "there is no index.html at its top; deploy the folder that has the start page in it."


def _walk(
    folder: Path, prefix: str, top: Path, above: frozenset[Path]
) -> Iterator[tuple[str, Path]]:
    with os.scandir(folder) as entries:
        ordered = sorted(entries, key=lambda entry: entry.name)
    for entry in ordered:
        path = prefix + entry.name
        if is_junk(entry.name):
            continue
        if entry.is_symlink():
            _judge_link(path, Path(entry.path), top, above)
        if entry.is_dir():
            inside = above | {Path(entry.path).resolve()}
            yield from _walk(Path(entry.path), path + "/", top, inside)
        elif entry.is_file():
            yield path, Path(entry.path)
        else:
            raise SourceRefused(f"“{path}” is neither a file nor a folder; remove it.")


def _judge_link(path: str, link: Path, top: Path, above: frozenset[Path]) -> None:
    try:
        target = link.resolve()
    except (OSError, RuntimeError) as error:
        raise SourceRefused(f"“{path}” is a link that goes round in circles; remove it.") from error
    if target == top or target in above:
        raise SourceRefused(f"“{path}” is a link to a folder that it is in; remove it.")
    if not target.exists():
        raise SourceRefused(f"“{path}” is a link to {target}, which is not there; remove it.")
    if not target.is_relative_to(top):
        _judge_target(path, target)


def _judge_target(path: str, target: Path) -> None:
    """A link must not publish what a visitor of this machine could not read anyway."""
    is_public = target.is_file() and target.stat().st_mode & stat.S_IROTH
    if not is_public or target.parts[1] in SYSTEM_FOLDERS:
        raise SourceRefused(
            f"“{path}” is a link to {target}, outside the folder; copy the file in."
        )
    judge_secrecy(target.as_posix().lstrip("/"))
    with target.open("rb") as stream:
        judge_key(path, stream.read(KEY_HEADER_WITHIN))
