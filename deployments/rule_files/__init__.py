"""Text files of rules that a build writes beside its pages: read line by line, refused by line.

headers    ``_headers``
redirects  ``_redirects``
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import unquote

from deployments.source import SourceRefused

MAX_BYTES = 1_000_000
SHOWN = 10
SPECIAL = re.compile("%(?:00|2a|2f|3a|5c)", re.IGNORECASE)


class LineRefused(ValueError):
    """A line that cannot be followed: the message says why, and what to write instead."""


def read(file: Path) -> str:
    """The file's text, or "" when there is none. Raises SourceRefused."""
    if not file.is_file():
        return ""
    if file.stat().st_size > MAX_BYTES:
        raise SourceRefused(f"{file.name} is longer than {MAX_BYTES:,} bytes; write fewer rules.")
    try:
        return file.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SourceRefused(
            f"{file.name} is not UTF-8 at byte {error.start:,}; save it in that encoding."
        ) from None


def follow(name: str, text: str, take: Callable[[int, str], None]) -> None:
    """Give each line that says something to ``take``, with its number.

    What it refuses is told together, so that a file is put right in one go: raises SourceRefused.
    """
    refusals = []
    for number, line in _lines(text):
        try:
            take(number, line)
        except LineRefused as refused:
            refusals.append(f"{name}, line {number}, “{_shown(line)}”: {refused}")
    if refusals:
        more = len(refusals) - SHOWN
        said = refusals[:SHOWN] + ([f"and {more} lines more in {name}."] if more > 0 else [])
        raise SourceRefused("\n".join(said))


def decoded_path(path: str) -> str:
    """Percent-decoded, where nothing that has a meaning in a pattern comes out of it."""
    if "\\" in path or SPECIAL.search(path):
        raise LineRefused("encoded “/”, “*”, “:” and backslashes match no file; leave them out.")
    return decoded(path)


def decoded(text: str) -> str:
    try:
        return unquote(text, errors="strict")
    except UnicodeDecodeError:
        raise LineRefused("the percent-encoding is not that of UTF-8; write it anew.") from None


def regex_of(pattern: str) -> str:
    """Of an address without slash at its end: Netlify's reading of a pattern, by segments.

    https://github.com/netlify/build/blob/main/packages/headers-parser/src/for_regexp.ts
    """
    regex = ""
    for part in filter(None, pattern.split("/")):
        if part.startswith(":"):
            regex += "/[^/]+"
        elif part == "*":
            regex += "(?:/.*)?"
        else:
            regex += "/" + ".*".join(map(re.escape, part.split("*")))
    return regex


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """Without those that are empty or a comment."""
    for number, line in enumerate(text.split("\n"), start=1):
        line = line.strip()
        if line and not line.startswith("#"):
            yield number, line


def _shown(line: str) -> str:
    """Short, and without characters that would write on a terminal."""
    shown = "".join(c if c.isprintable() else "�" for c in line)
    return shown if len(shown) <= 100 else shown[:100] + "…"
