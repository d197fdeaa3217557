"""What a receiver made of a message."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Answer:
    """``said`` is for the log. ``is_final``: another try would get the same answer. ``is_gone``:
    the receiver wants to hear nothing any more."""

    is_delivered: bool
    said: str
    is_final: bool = False
    is_gone: bool = False
