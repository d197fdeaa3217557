"""A change reaches the points of presence one after the other, as on AWS.

https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/kvs-with-functions-kvp.html:
updates take seconds, and each edge location switches when it hears of them.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from localcloud.edge.config import Behavior, Distribution, Origin
from localcloud.edge.pop import Pop
from localcloud.reader import Reader

log = logging.getLogger(__name__)

Change = Callable[[Pop], None]


@dataclass(frozen=True)
class Subject:
    """What a change is about, in the words of :class:`~localcloud.reader.Reader`."""

    kind: str
    key: str


class Propagation:
    """Applies changes to every POP in order, the n-th after n parts of ``seconds``."""

    def __init__(self, pops: Iterable[Pop], reader: Reader, seconds: float) -> None:
        self.pops = tuple(pops)
        self.reader = reader
        self.seconds = seconds
        self.distributions: dict[str, Distribution] = {}
        self._known: set[Subject] = set()
        self._queues: list[deque[tuple[Change, Subject]]] = [deque() for _ in self.pops]
        self._underway: Counter[Subject] = Counter()
        self._reading = asyncio.Lock()

    def pending(self, kind: str, key: str) -> bool:
        """Whether a change of that thing has not reached every POP yet."""
        return self._underway[Subject(kind, key)] > 0

    def publish(self, change: Change, subject: Subject, seconds: float | None = None) -> None:
        seconds = self.seconds if seconds is None else seconds
        self._underway[subject] += len(self.pops)
        for index, queue in enumerate(self._queues):
            queue.append((change, subject))
            if seconds == 0:
                self._apply_next(index)
            else:
                delay = seconds * (index + 1) / len(self.pops)
                asyncio.get_running_loop().call_later(delay, self._apply_next, index)

    def _apply_next(self, index: int) -> None:
        change, subject = self._queues[index].popleft()
        self._underway[subject] -= 1
        if not self._underway[subject]:
            del self._underway[subject]
        change(self.pops[index])

    async def load(self) -> None:
        """Everything that stands, at once: the edge starts where it was stopped."""
        for kind, key in await asyncio.to_thread(lambda: list(self.reader.everything())):
            await self.refresh(kind, key, seconds=0)

    async def refresh(self, kind: str, key: str, seconds: float | None = None) -> None:
        """Reads one thing anew and publishes what was found, its absence too."""
        async with self._reading:
            await self._refresh(Subject(kind, key), seconds)

    async def _refresh(self, subject: Subject, seconds: float | None) -> None:
        value = await asyncio.to_thread(self.reader.read, subject.kind, subject.key)
        self._known.add(subject)
        if isinstance(value, Distribution):
            self.distributions[subject.key] = value
            for used in uses(value):
                if used not in self._known:
                    await self._refresh(used, seconds)
        elif subject.kind == "distribution":
            self.distributions.pop(subject.key, None)
        self.publish(put(subject, value), subject, seconds)


def put(subject: Subject, value: Any) -> Change:
    def change(pop: Pop) -> None:
        pop.put(subject.kind, subject.key, value)

    return change


def uses(distribution: Distribution) -> Iterable[Subject]:
    """What a POP needs besides the distribution itself to serve it."""
    for behavior in distribution.behaviors:
        yield from _policies(behavior)
    for origin in distribution.origins.values():
        yield from _permissions(origin)


def _policies(behavior: Behavior) -> Iterable[Subject]:
    for kind, key in (
        ("cache_policy", behavior.cache_policy_id),
        ("origin_request_policy", behavior.origin_request_policy_id),
        ("response_headers_policy", behavior.response_headers_policy_id),
        ("function", behavior.viewer_request.rpartition("/")[2]),
        ("function", behavior.viewer_response.rpartition("/")[2]),
    ):
        if key:
            yield Subject(kind, key)


def _permissions(origin: Origin) -> Iterable[Subject]:
    if origin.bucket:
        yield Subject("bucket_policy", origin.bucket)
