"""What GitHub says of a push, from the signed body alone: the headers are not signed.

https://docs.github.com/en/webhooks/webhook-events-and-payloads#push
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

SHA = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
BRANCH = "refs/heads/"


class Unreadable(Exception):
    """The body is not what GitHub sends; the message says why."""


@dataclass(frozen=True)
class Ping:
    """GitHub greets a new hook."""

    full_name: str


@dataclass(frozen=True)
class Push:
    """``branch`` is "" for a tag; ``sha`` is "" when the branch was deleted."""

    full_name: str
    ref: str
    sha: str
    message: str
    author: str

    @property
    def branch(self) -> str:
        return self.ref.removeprefix(BRANCH) if self.ref.startswith(BRANCH) else ""


@dataclass(frozen=True)
class Other:
    """Another event."""

    full_name: str


def read(body: bytes) -> Ping | Push | Other:
    """Raises Unreadable."""
    try:
        data = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Unreadable(
            "The body is not JSON; set the hook's content type to application/json."
        ) from error
    if not isinstance(data, dict):
        raise Unreadable("The body is not a JSON object.")
    full_name = _text(_part(data, "repository"), "full_name", 200)
    if "zen" in data:
        return Ping(full_name)
    if not {"ref", "before", "after"} <= data.keys():
        return Other(full_name)
    return _push(data, full_name)


def _push(data: dict[str, Any], full_name: str) -> Push:
    ref, after = _text(data, "ref", 300), _text(data, "after", 64)
    if not ref.startswith("refs/") or not SHA.fullmatch(after):
        raise Unreadable("A push has a ref and the commit it leads to; this one has not.")
    commit = _part(data, "head_commit")
    author = _text(_part(commit, "author"), "name", 200)
    return Push(
        full_name,
        ref,
        sha="" if data.get("deleted") is True or set(after) == {"0"} else after,
        message=(_text(commit, "message", 5000).splitlines() or [""])[0][:500],
        author=author or _text(_part(data, "pusher"), "name", 200),
    )


def _part(data: dict[str, Any], name: str) -> dict[str, Any]:
    value = data.get(name)
    return value if isinstance(value, dict) else {}


def _text(data: dict[str, Any], name: str, at_most: int) -> str:
    """PostgreSQL keeps neither NUL nor lone surrogates."""
    value = data.get(name)
    text = value if isinstance(value, str) else ""
    return text.replace("\0", "").encode(errors="ignore").decode()[:at_most]
