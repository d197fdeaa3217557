"""What may be meant, and mostly is not: said before it is public, never refused."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from itertools import islice
from pathlib import Path

# Enough to see a habit of a generator; a longer look would hold the deployment up.
MOST_PAGES = 200
READ_WITHIN = 64 * 1024
NAMED = 3

PAGE = re.compile(r"\.(?:html?|xhtml)\Z", re.IGNORECASE)
TEXT = re.compile(r"\.(?:html?|xhtml|md|markdown|txt|json|css)\Z", re.IGNORECASE)
NOINDEX = re.compile(
    rb"<meta\b(?=[^>]*\bname\s*=\s*[\"']?robots\b)[^>]*\bcontent\s*=\s*[\"']?[^\"'>]*\bnoindex\b",
    re.IGNORECASE,
)
DRAFT = re.compile(rb"\A\s*(?:---|\+\+\+)\s*\n(?:[^\n]*\n){0,40}?draft\s*[:=]\s*true\b")
LOCAL_NAMES = (b"localhost", b"127.0.0.1", b"0.0.0.0", b"[::1]")
LOCAL_ADDRESS = re.compile(
    rb"\b(?:href|src|action|content)\s*=\s*[\"']?https?://"
    rb"(?:localhost|127\.0\.0\.1|0\.0\.0\.0|\[::1\])[:/\"'\s>]",
    re.IGNORECASE,
)
NOT_ASCII = re.compile(r"[^\x00-\x7f]{2,}")
# UTF-8 read as Windows-1252 begins its letters so: “Ã¤”, “Â»”, “â€œ”, “ðŸ˜€”.
SURE_BEGINNINGS = "ÃÂâð"
MISREAD_AS = ("cp1252", "latin-1", "mac_roman")
TYPESET = "‘’“”–—…€"


def proofread(root: Path, paths: Iterable[str]) -> tuple[str, ...]:
    """Sentences about a site's first pages."""
    texts = [path for path in paths if TEXT.search(path)]
    texts.sort(key=lambda path: (path != "index.html", not PAGE.search(path)))
    found: dict[str, list[str]] = {}
    for path in islice(texts, MOST_PAGES):
        with (root / path).open("rb") as stream:
            content = stream.read(READ_WITHIN)
        for sentence, is_so in CHECKS.items():
            if is_so(path, content):
                found.setdefault(sentence, []).append(path)
    return tuple(
        sentence.format(files=_named(found[sentence])) for sentence in CHECKS if sentence in found
    )


def is_double_encoded(text: str) -> bool:
    """Whether a run of letters is UTF-8 that was taken for an older encoding: “Ã¤” for “ä”."""
    return any(_is_misread(match[0]) for match in NOT_ASCII.finditer(text))


def _is_misread(run: str) -> bool:
    for encoding in MISREAD_AS:
        try:
            meant = run.encode(encoding).decode()
        except UnicodeError:
            continue
        if run[0] in SURE_BEGINNINGS:
            return True
        # Two characters can be a coincidence (“√π” in a formula), and so can a letter before dots
        # and quotes: the end of “café…” is what “酔” is misread as.
        is_long = len(run) > 2 * len(meant) or len(run) >= 6
        if is_long and run[1:].strip(TYPESET):
            return True
    return False


def _is_hidden(path: str, content: bytes) -> bool:
    return path == "index.html" and NOINDEX.search(content) is not None


def _is_draft(path: str, content: bytes) -> bool:
    return DRAFT.search(content) is not None


def _points_here(path: str, content: bytes) -> bool:
    named = any(name in content for name in LOCAL_NAMES)
    return named and PAGE.search(path) is not None and LOCAL_ADDRESS.search(content) is not None


def _is_misencoded(path: str, content: bytes) -> bool:
    """Cut off within a character is not misencoded."""
    if content.isascii() or content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return False
    text = content.decode(errors="replace")
    return len(content) < READ_WITHIN and "\ufffd" not in text and is_double_encoded(text)


def _is_not_utf8(path: str, content: bytes) -> bool:
    try:
        content.decode()
    except UnicodeDecodeError as error:
        return error.start < READ_WITHIN - 4
    return False


def _named(paths: list[str]) -> str:
    names = ", ".join(f"“{path}”" for path in paths[:NAMED])
    more = len(paths) - NAMED
    return f"{names} and {more} more" if more > 0 else names


CHECKS: dict[str, Callable[[str, bytes], bool]] = {
    "The start page asks search engines to stay away (noindex in its robots tag).": _is_hidden,
    "Marked as a draft, and public now: {files}.": _is_draft,
    "Addresses of a developer's own machine (localhost) are in {files}.": _points_here,
    "Letters that were encoded twice (“Ã¤” in place of “ä”) are in {files}; save them as UTF-8 "
    "once.": _is_misencoded,
    "Served as UTF-8, but not written so, which garbles letters: {files}.": _is_not_utf8,
}
