"""Text of others as it may be shown anywhere: what would act on a terminal, or turn a line round,
is taken out or made visible."""

from __future__ import annotations

import re

ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\^_])")
CONTROLS = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]"
)


def plain(text: str) -> str:
    """Without the sequences of terminals; other control characters, and those that change the
    direction of writing, by their numbers, as in “⟨202E⟩”. Lines and tabs stay."""
    return CONTROLS.sub(_named, ESCAPES.sub("", text.replace("\r\n", "\n")))


def one_line(text: str) -> str:
    return " ".join(plain(text).split())


def _named(match: re.Match[str]) -> str:
    return f"⟨{ord(match[0]):02X}⟩"
