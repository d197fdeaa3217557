"""Why hits were not counted, until the database is told: now and then, so that no flood writes."""

from __future__ import annotations

import time
from collections import Counter

TELL_SECONDS = 5.0


class LeftOut:
    """Hits by reason, in the memory of one container; what it holds when it ends is not told.

    So what is told is right, and may be less than there was.
    """

    def __init__(self) -> None:
        self._hits: Counter[str] = Counter()
        self._told_at = 0.0

    def add(self, reason: str) -> None:
        self._hits[reason] += 1

    def take(self) -> dict[str, int] | None:
        """What is to be told now, once; None when it is too early."""
        now = time.time()  # the monotonic clock may stand still while the container is frozen
        if 0 <= now - self._told_at < TELL_SECONDS:
            return None
        self._told_at = now
        hits, self._hits = self._hits, Counter()
        return dict(hits)
