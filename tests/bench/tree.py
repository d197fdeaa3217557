"""A generated site: the same bytes for the same seed."""

from __future__ import annotations

from pathlib import Path
from random import Random

FILES = 2_000
MIN_BYTES, MAX_BYTES = 3_000, 30_000
SUFFIXES = ("html", "html", "html", "css", "js", "png")


def paths(files: int) -> list[str]:
    """``index.html``, then twenty files to a folder."""
    names = (f"part-{n // 20}/file-{n}.{SUFFIXES[n % len(SUFFIXES)]}" for n in range(1, files))
    return ["index.html", *names]


def generate(root: Path, seed: int, files: int = FILES) -> None:
    """Text that compresses little, so that no client gains by luck."""
    random = Random(seed)
    for path in paths(files):
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(random.randbytes(random.randint(MIN_BYTES, MAX_BYTES) // 2).hex())


def change(root: Path, seed: int, share: float = 0.01, files: int = FILES) -> list[str]:
    """Append to that share of the files, the start page among them; their paths.

    Appending, because ``aws s3 sync`` compares sizes and whole seconds, not contents.
    """
    count = max(1, round(files * share))
    chosen = ["index.html", *Random(seed).sample(paths(files)[1:], count - 1)]
    for path in chosen:
        with (root / path).open("a") as file:
            file.write(f"changed {seed}")
    return chosen
