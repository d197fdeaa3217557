"""A commit of a git repository: fetched alone, judged as a list of entries, then written out.

Nothing of the repository is run, and nothing of the machine's own git configuration is read: no
hooks, no filters, no credential helpers, no `.git` in what is deployed. Submodules are fetched by
the same code under the same rules, not by `git submodule`.
"""

from __future__ import annotations

import posixpath
import re
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from deployments.source.git_program import Git, GitFailed
from deployments.source.remote import Remote, parse
from deployments.source.rules import CONTROL, Entries, Limits, SourceRefused
from deployments.source.workplace import workplace

MAX_DEPTH = 5
SHA = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
# As `git check-ref-format` has it, and never an option, a pattern or a refspec.
REF = re.compile(
    r"(?![-/.])(?!.*(?:\.\.|//|@\{|\.lock(?:/|\Z)|/\.|[./]\Z))[^\x00-\x20\x7f~^:?*\[\\]+"
)
LINK, SUBMODULE = "120000", "160000"
LFS_POINTER = b"version https://git-lfs.github.com/spec/"
LFS_POINTER_BYTES = range(100, 300)


@dataclass(frozen=True)
class Commit:
    """What was written out. ``ref`` is the branch or tag, empty for a commit by its number."""

    ref: str = ""
    sha: str = ""
    author: str = ""
    warnings: tuple[str, ...] = ()


@dataclass
class _Part:
    """A repository's tree, and where it goes: the site's own first, then its submodules."""

    git: Git
    tree: str
    prefix: str
    links: list[str] = field(default_factory=list)
    small: list[str] = field(default_factory=list)
    submodules: list[tuple[str, str]] = field(default_factory=list)


def clone(
    source: str,
    target: Path,
    *,
    ref: str = "",
    submodules: bool = False,
    schemes: Collection[str],
    limits: Limits,
) -> Commit:
    """Write the files of ``source``, ``url#ref:folder``, into the folder ``target``.

    ``ref`` is a branch, a tag or a full commit number; the default branch without. Raises
    SourceRefused.
    """
    remote = parse(source, schemes)
    ref = ref or remote.ref
    if ref and not REF.fullmatch(ref):
        raise SourceRefused(f"“{ref}” is no name of a branch, a tag or a commit.")
    try:
        with workplace() as work:
            clone = _Clone(work, schemes, limits, submodules)
            git, name, sha = clone.fetch(remote, ref)
            folder = remote.folder.strip("/")
            parts = clone.judge(remote, git, f"{sha}:{folder}", folder)
            for part in parts:
                part.git.write_out(part.tree, target / part.prefix)
            author = git.output("log", "-1", "--no-show-signature", "--format=%an", sha, "--")
    except GitFailed as failed:
        raise SourceRefused(f"git says: {failed}.") from None
    for part in parts:
        _judge_written(part, target)
    return Commit(name, sha, CONTROL.sub("", author).strip()[:200], tuple(clone.warnings))


class _Clone:
    def __init__(
        self, work: Path, schemes: Collection[str], limits: Limits, submodules: bool
    ) -> None:
        self.work, self.schemes, self.limits, self.submodules = work, schemes, limits, submodules
        self.entries = Entries(limits)
        self.warnings: list[str] = []
        self.deadline = time.monotonic() + limits.seconds
        self.number = 0

    def fetch(self, remote: Remote, ref: str) -> tuple[Git, str, str]:
        """A repository with one commit; the name of what was asked for, and the commit's number."""
        self.number += 1
        git = Git(
            self.work / str(self.number),
            remote,
            watched=self.work,
            schemes=self.schemes,
            limits=self.limits,
            deadline=self.deadline,
        )
        name = ref
        if not SHA.fullmatch(ref):
            name = _resolve(git, remote, ref)
        git.run(
            *("fetch", "--quiet", "--depth=1", "--no-tags", "--no-recurse-submodules"),
            *("--no-write-fetch-head", "--", remote.url, f"{name}:refs/cloudadmin/wanted"),
        )
        sha = git.output("rev-parse", "--verify", "refs/cloudadmin/wanted^{commit}").strip()
        short = re.sub(r"\Arefs/(?:heads|tags)/", "", name)
        return git, "" if SHA.fullmatch(ref) else short, sha

    def judge(
        self, remote: Remote, git: Git, tree: str, folder: str, prefix: str = "", depth: int = 0
    ) -> list[_Part]:
        """The parts to write out, every entry of which is welcome."""
        part = _Part(git, tree, prefix)
        try:
            self._admit(part)
        except GitFailed:
            if not folder:
                raise
            raise SourceRefused(f"there is no folder “{folder}” in that commit.") from None
        parts = [part]
        if part.submodules and not self.submodules:
            names = ", ".join(f"“{path}”" for path, _ in part.submodules[:3])
            self.warnings.append(f"Submodules were left out, as nobody asked for them: {names}.")
        elif part.submodules:
            if depth == MAX_DEPTH:
                raise SourceRefused(f"“{prefix}”: submodules more than {MAX_DEPTH} levels deep.")
            sha = tree.partition(":")[0]
            addresses = _submodule_addresses(git, sha)
            for path, commit in part.submodules:
                url = addresses.get(posixpath.join(folder, path))
                if url is None:
                    raise SourceRefused(f"“{path}” is a submodule without an address.")
                inner = parse(_absolute(remote.url, url), self.schemes)
                parts += self._submodule(inner, commit, f"{prefix}{path}/", depth)
        if not depth:
            self.entries.close()
        return parts

    def _submodule(self, remote: Remote, commit: str, prefix: str, depth: int) -> list[_Part]:
        git, _, sha = self.fetch(remote, commit)
        return self.judge(remote, git, f"{sha}:", "", prefix, depth + 1)

    def _admit(self, part: _Part) -> None:
        for mode, number, size, path in _listed(part.git, part.tree):
            if mode == SUBMODULE:
                part.submodules.append((path, number))
                continue
            self.entries.admit(part.prefix + path, size)
            if mode == LINK:
                part.links.append(part.prefix + path)
            elif size in LFS_POINTER_BYTES:
                part.small.append(part.prefix + path)


def _resolve(git: Git, remote: Remote, ref: str) -> str:
    """The full name of a branch or tag, branches first; of the default branch without ``ref``."""
    wanted = [f"refs/heads/{ref}", f"refs/tags/{ref}"] if ref else ["HEAD"]
    if ref.startswith("refs/"):
        wanted.append(ref)
    listed = git.output("ls-remote", "--symref", "--", remote.url, *wanted)
    rows = [line.split("\t") for line in listed.splitlines() if "\t" in line]
    if not ref:
        heads = [row[0].removeprefix("ref: ") for row in rows if row[0].startswith("ref: ")]
        if not rows:
            raise SourceRefused("the repository is empty; push a commit first.")
        return heads[0] if heads else "HEAD"
    there = {row[1] for row in rows}
    found = next((name for name in wanted if name in there), None)
    if found is None:
        raise SourceRefused(f"there is no branch or tag “{ref}”; was it pushed?")
    return found


def _listed(git: Git, tree: str) -> Iterator[tuple[str, str, int, str]]:
    """``(mode, object, size, path)`` of everything in a tree."""
    for line in git.lines("ls-tree", "-r", "-l", "-z", "--full-tree", tree):
        described, _, path = line.partition("\t")
        mode, _, number, size = described.split()
        yield mode, number, 0 if size == "-" else int(size), path


def _submodule_addresses(git: Git, sha: str) -> dict[str, str]:
    """Path -> URL, of the commit's .gitmodules."""
    settings: dict[str, dict[str, str]] = {}
    try:
        lines = list(git.lines("config", "--blob", f"{sha}:.gitmodules", "--null", "--list"))
    except GitFailed:
        return {}
    for line in lines:
        key, _, value = line.partition("\n")
        name, _, setting = key.rpartition(".")
        settings.setdefault(name, {})[setting] = value
    return {
        each["path"]: each["url"] for each in settings.values() if {"path", "url"} <= each.keys()
    }


def _absolute(parent: str, url: str) -> str:
    """A submodule's address; relative ones count from the repository's own."""
    if not url.startswith(("./", "../")):
        return url
    base = parent.rstrip("/")
    while url.startswith(("./", "../")):
        step, _, url = url.partition("/")
        if step == "..":
            cut = max(base.rfind("/"), base.rfind(":"))
            base = base[: cut + 1].rstrip("/") if base[cut] == "/" else base[: cut + 1]
    return base + url if base.endswith(":") else f"{base}/{url}"


def _judge_written(part: _Part, target: Path) -> None:
    """A link of a stranger's repository never leaves it; a stand-in for a file is none."""
    root = target.resolve()
    for path in part.links:
        if not (target / path).resolve().is_relative_to(root):
            raise SourceRefused(f"“{path}” is a link out of the repository; put the file there.")
    for path in part.small:
        file = target / path
        if file.is_file() and file.read_bytes().startswith(LFS_POINTER):
            raise SourceRefused(
                f"“{path}” is kept in Git LFS, and the commit has but a note of it; deploy from a "
                "CI that fetches it, or put the file itself into git."
            )
