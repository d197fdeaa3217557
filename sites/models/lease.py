"""A row that one worker at a time may work on.

A worker claims the row by a guarded update, renews its lease while it works, and shows its fence
number with every write. A worker that dies stops renewing; whoever claims next gets a higher fence,
and the dead one, should it wake up, is refused. No manual unlock exists because none is needed.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import ClassVar, Self

from django.db import connections, models
from django.db.models import F, Q
from django.utils import timezone

LEASE = timedelta(seconds=20)
HEARTBEAT_SECONDS = 5.0


class LeaseLost(Exception):
    """Somebody else works on the row now: stop, write nothing more."""


class Leased(models.Model):
    """``attempts`` counts the times that a holder died or failed in a way worth another try."""

    lease_until = models.DateTimeField(null=True, blank=True, editable=False)
    claimed_at = models.DateTimeField(null=True, blank=True, editable=False)
    fence = models.PositiveIntegerField(default=0, editable=False)
    attempts = models.PositiveIntegerField(default=0, editable=False)

    ACTIVE: ClassVar[tuple[str, ...]] = ()

    class Meta:
        abstract = True

    @classmethod
    def unclaimed(cls) -> models.QuerySet[Self]:
        """Rows that nobody holds."""
        return cls._default_manager.filter(
            Q(lease_until__isnull=True) | Q(lease_until__lt=timezone.now())
        )

    @property
    def is_held(self) -> bool:
        return self.lease_until is not None and self.lease_until >= timezone.now()

    def claim(self, **changes: object) -> bool:
        """Take the row, or return False when somebody holds it."""
        now = timezone.now()
        died = self.lease_until is not None and self.lease_until < now
        claimed = (
            type(self)
            .unclaimed()
            .filter(pk=self.pk, fence=self.fence)
            .update(
                lease_until=now + LEASE,
                claimed_at=now,
                fence=F("fence") + 1,
                attempts=F("attempts") + (1 if died else 0),
                **changes,
            )
        )
        if claimed:
            self.refresh_from_db()
        return bool(claimed)

    def write(self, **changes: object) -> None:
        """Update the row as its holder; LeaseLost when we are not any more."""
        held = type(self)._default_manager.filter(pk=self.pk, fence=self.fence)
        if not held.update(**changes):
            raise LeaseLost(str(self))
        for name, value in changes.items():
            setattr(self, name, value)

    def release(self, **changes: object) -> None:
        """Let the row go. Whoever read it before, in another request, can no longer write it."""
        self.write(lease_until=None, fence=self.fence + 1, **changes)

    def renew(self) -> bool:
        """Hold the row for longer. False when it is not ours, or was let go: that stays so."""
        held = type(self)._default_manager.filter(pk=self.pk, fence=self.fence)
        return bool(held.exclude(lease_until=None).update(lease_until=timezone.now() + LEASE))

    @contextmanager
    def heartbeat(self) -> Iterator[None]:
        """Renew the lease from a thread of its own while the block runs."""
        stop = threading.Event()

        def beat() -> None:
            try:
                while not stop.wait(HEARTBEAT_SECONDS):
                    self.renew()
            finally:
                connections.close_all()

        thread = threading.Thread(target=beat, name=f"heartbeat-{self.pk}", daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()
