"""What an operation waits for, as a person reads it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import BooleanField, F, Func, QuerySet
from django.utils.dateparse import parse_datetime

from sites.models import Operation


@dataclass(frozen=True)
class ReadableWait:
    """``since`` and ``next_check`` are None when the row does not say, ``last_seen`` and ``todo``
    empty."""

    what: str
    why: str
    since: datetime | None
    next_check: datetime | None
    last_seen: str = ""
    todo: str = ""


def readable(waits: Iterable[dict[str, Any]]) -> list[ReadableWait]:
    """The waits of an ``Operation`` row, whose times are ISO strings; first those that somebody can
    do something about."""
    told = [
        ReadableWait(
            what=str(wait.get("what", "")),
            why=_sentence(wait.get("why")),
            since=_time(wait.get("since")),
            next_check=_time(wait.get("next_check")),
            last_seen=_sentence(wait.get("last_seen")),
            todo=_sentence(wait.get("todo")),
        )
        for wait in waits
    ]
    return sorted(told, key=lambda wait: not wait.todo)


def by_urgency(operations: QuerySet[Operation]) -> QuerySet[Any]:
    """With ``is_on_you``: whether a person can do something about what they wait for; those that
    have waited longest first."""
    on_you = Func(
        F("waits"),
        template="jsonb_path_exists(%(expressions)s, '$[*].todo ? (@ != \"\")')",
        output_field=BooleanField(),
    )
    return operations.annotate(is_on_you=on_you).order_by("-is_on_you", "created_at")


def _sentence(text: object) -> str:
    """With a capital, unless it begins with a name such as example.com."""
    words = str(text or "").strip().rstrip(".")
    if words.partition(" ")[0].isalpha():
        words = words[0].upper() + words[1:]
    return f"{words}." if words else ""


def _time(text: object) -> datetime | None:
    return parse_datetime(text) if isinstance(text, str) else None
