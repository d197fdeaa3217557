"""What a client has sent to the bucket by itself: is it there, and may it be public?

Many small requests to S3, a number of them at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from itertools import accumulate
from typing import TYPE_CHECKING

import obstore
from obstore.exceptions import BaseError

from deployments.manifest import Entry, object_key
from deployments.source import SourceRefused
from deployments.source.secrets import LARGEST_TEXT, MOST_BYTES, Finding, find, worth_a_look
from sites.errors import Refused

if TYPE_CHECKING:
    from obstore.store import S3Store

ASKED_AT_ONCE = 64


def absent(store: S3Store, entries: Mapping[str, Entry], most: int) -> list[str]:
    """The first ``most`` paths whose object the bucket does not have, or has in another size.

    Raises Refused when the bucket does not answer.
    """
    found: list[str] = []

    async def ask(path: str) -> None:
        if len(found) >= most:
            return
        entry = entries[path]
        try:
            meta = await obstore.head_async(store, object_key(path, entry))
        except FileNotFoundError:
            found.append(path)
        else:
            if meta["size"] != entry.size:
                found.append(path)

    asyncio.run(_each(entries, ask))
    return sorted(found)[:most]


def judge(store: S3Store, entries: Mapping[str, Entry], allowed: Collection[str]) -> None:
    """Look into the texts, as many as of an archive. Raises SourceRefused and Refused."""
    findings: list[Finding] = []

    async def look(path: str) -> None:
        key, length = object_key(path, entries[path]), min(entries[path].size, LARGEST_TEXT)
        content = await obstore.get_range_async(store, key, start=0, length=length)
        if finding := find(path, bytes(content)):
            findings.append(finding)

    filled = (path for path, entry in entries.items() if entry.size and path not in allowed)
    asyncio.run(_each(_within_limit(worth_a_look(filled), entries), look))
    if findings:
        first = min(findings, key=lambda finding: finding.path)
        raise SourceRefused(
            f"“{first.path}” would be public: {first.reason}. Remove it, and replace what leaked; "
            "what is meant to be public, allow by its path."
        )


def _within_limit(paths: list[str], entries: Mapping[str, Entry]) -> list[str]:
    sums = accumulate(min(entries[path].size, LARGEST_TEXT) for path in paths)
    return [path for path, total in zip(paths, sums, strict=True) if total <= MOST_BYTES]


async def _each(paths: Iterable[str], ask: Callable[[str], Awaitable[None]]) -> None:
    waiting = iter(paths)

    async def work() -> None:
        for path in waiting:
            try:
                await ask(path)
            except BaseError as error:
                reason = str(error).partition("\n")[0]
                raise Refused(f"The bucket cannot be asked: {reason}", try_again=True) from error

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(ASKED_AT_ONCE):
                group.create_task(work())
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from None
