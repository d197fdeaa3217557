"""A folder of files, walked in order and judged."""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from deployments.source.projects import judge_start_page
from deployments.source.proofreading import proofread
from deployments.source.rules import LIMITS, Limits, SourceRefused, is_junk, judge
from deployments.source.secrets import (
    KEY_HEADER_WITHIN,
    Finding,
    judge_key,
    judge_secrecy,
    look_into,
    secret_name,
)

# Readable by everybody, and still nothing for a website.
SYSTEM_FOLDERS = frozenset({"dev", "etc", "proc", "run", "sys"})
START_PAGE = "index.html"
NAMED = 3


@dataclass(frozen=True)
class Checked:
    """``warnings`` are sentences; ``allowed`` the paths that only an exception let through."""

    warnings: tuple[str, ...]
    allowed: tuple[str, ...]


def files_of(root: Path) -> Iterator[tuple[str, Path]]:
    """``(path, file)`` of every file, sorted by folder; links within the folder are followed.

    A link that leaves the folder is followed to a single file that everybody on the machine may
    read, as Debian's packages link to shared scripts. Raises SourceRefused for the other ones, for
    links that go round in circles, and for special files.
    """
    yield from _walk(root, "", root.resolve(), frozenset())


def check(root: Path, *, allow: Collection[str] = (), limits: Limits = LIMITS) -> Checked:
    """Refuse a folder that is empty, is no site, or holds what must not be published.

    ``allow`` names paths that may look like secrets; with ``index.html`` among them, the start page
    may be missing. Raises SourceRefused.
    """
    files: list[tuple[str, Path]] = []
    findings: list[Finding] = []
    for path, file in files_of(root):
        judge(path)
        if reason := secret_name(path):
            findings.append(Finding(path, reason))
        files.append((path, file))
        if len(files) > limits.files:
            raise SourceRefused(f"more than {limits.files:,} files; split the site in two.")
    if not files:
        raise SourceRefused("there are no files in it; deploy the folder that the build wrote.")
    named = {finding.path for finding in findings}
    findings += look_into(item for item in files if item[0] not in named)
    _judge_secrets([finding for finding in findings if finding.path not in allow])
    allowed = {finding.path for finding in findings}
    try:
        judge_start_page(root)
    except SourceRefused:
        if START_PAGE not in allow:
            raise
        allowed.add(START_PAGE)
    return Checked(warnings=proofread(files), allowed=tuple(sorted(allowed)))


def _judge_secrets(findings: list[Finding]) -> None:
    if not findings:
        return
    first, *others = findings
    also = ""
    if others:
        names = ", ".join(f"“{finding.path}” ({finding.reason})" for finding in others[:NAMED])
        more = f" and {len(others) - NAMED} more" if len(others) > NAMED else ""
        also = f" So would {names}{more}."
    raise SourceRefused(
        f"“{first.path}” would be public: {first.reason}.{also} Deploy the build's output folder, "
        "or remove it from there; what is meant to be public, allow by its path."
    )


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
