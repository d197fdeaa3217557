"""The sites that uploads are measured with: Debian's documentation, and a generated one."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

from tests.bench import tree

# Name -> package and the folder in it that is the site.
DEBIAN = {
    "python3-doc": ("python3.11-doc", "usr/share/doc/python3.11/html"),
    "postgresql-doc-15": ("postgresql-doc-15", "usr/share/doc/postgresql-doc-15/html"),
    "rust-doc": ("rust-doc", "usr/share/doc/rust-doc/html"),
}
SYNTHETIC = "synthetic-100k"
NAMES = (*DEBIAN, SYNTHETIC)
SHARE = 0.01


def ready(name: str, folder: Path) -> Path:
    """The tree, downloaded or generated if it is not in ``folder``."""
    root = folder / "trees" / name
    if not root.exists():
        making = root.with_suffix(".new")
        shutil.rmtree(making, ignore_errors=True)
        if name == SYNTHETIC:
            tree.generate(making, seed=0, files=100_000)
        else:
            _regular_files(_unpacked(name, folder), making)
        making.rename(root)
    return root


def files(root: Path) -> list[Path]:
    return sorted(Path(folder, name) for folder, _, names in os.walk(root) for name in names)


@contextmanager
def changed(root: Path, aside: Path) -> Iterator[None]:
    """1 % of the files changed, 1 % new, 1 % gone; afterwards the tree is as it was.

    Changed by appending, because some peers compare sizes and whole seconds, not contents.
    """
    everything = files(root)
    count = max(1, round(len(everything) * SHARE))
    chosen = Random(1).sample(everything, 3 * count)
    longer, gone, copied = chosen[:count], chosen[count : 2 * count], chosen[2 * count :]
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir()
    new = [file.with_name(f"new-{file.name}") for file in copied]
    for number, file in enumerate([*longer, *gone]):
        shutil.copy2(file, aside / str(number))
    for file in longer:
        with file.open("ab") as stream:
            stream.write(b"\nchanged\n")
    for file in gone:
        file.unlink()
    for source, file in zip(copied, new, strict=True):
        shutil.copy(source, file)
    try:
        yield
    finally:
        for number, file in enumerate([*longer, *gone]):
            shutil.copy2(aside / str(number), file)
        for file in new:
            file.unlink()
        shutil.rmtree(aside)


def _unpacked(name: str, folder: Path) -> Path:
    package, site = DEBIAN[name]
    target = folder / "packages" / package
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        _run(["apt-get", "download", package], target.parent)
        (archive,) = target.parent.glob(f"{package}_*.deb")
        _run(["dpkg-deb", "-x", archive.name, package], target.parent)
        archive.unlink()
    return target / site


def _regular_files(source: Path, target: Path) -> None:
    """Links lead to other packages, and peers differ in what they do with them."""
    for folder, _, names in os.walk(source):
        into = target / os.path.relpath(folder, source)
        into.mkdir(parents=True, exist_ok=True)
        for file in (Path(folder, name) for name in names):
            if file.is_file() and not file.is_symlink():
                shutil.copy2(file, into / file.name)


def _run(command: list[str], folder: Path) -> None:
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
