"""What an operation waits for, as a person reads it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.dateparse import parse_datetime


@dataclass(frozen=True)
class ReadableWait:
    """``since`` and ``next_check`` are None when the row does not say."""

    what: str
    why: str
    since: datetime | None
    next_check: datetime | None


def readable(waits: Iterable[dict[str, Any]]) -> list[ReadableWait]:
    """The waits of an ``Operation`` row, whose times are ISO strings."""
    return [
        ReadableWait(
            what=str(wait.get("what", "")),
            why=str(wait.get("why", "")).rstrip(".") + ".",
            since=_time(wait.get("since")),
            next_check=_time(wait.get("next_check")),
        )
        for wait in waits
    ]


def _time(text: object) -> datetime | None:
    return parse_datetime(text) if isinstance(text, str) else None
