"""What is waited for, as lines of a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime


def wait_lines(waits: Iterable[Mapping[str, str]]) -> Iterator[str]:
    """Of the waits of an ``Operation`` row: what, why, since when, what was last seen, what to do,
    and when it is looked at again."""
    for wait in waits:
        since = datetime.fromisoformat(wait["since"]).astimezone(UTC)
        next_check = datetime.fromisoformat(wait["next_check"]).astimezone(UTC)
        yield f"Waits for {wait['what']}: {wait['why'].rstrip('.')}."
        if wait.get("last_seen"):
            yield f"    seen   {wait['last_seen']}"
        if wait.get("todo"):
            yield f"    to do  {wait['todo']}"
        yield f"    since  {since:%Y-%m-%d %H:%M:%S} UTC, looked at again at {next_check:%H:%M:%S}"
