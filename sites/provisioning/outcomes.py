"""How a pass of the engine ends."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sites.provisioning.errors import ResourceFailed

FIRST_CHECK = timedelta(seconds=2)
LAST_CHECK = timedelta(minutes=10)


@dataclass(frozen=True)
class Wait:
    """What is waited for, in words, since when, and when it is looked at again.

    ``last_seen`` is what AWS, or the DNS, answered at the last look; ``todo`` what a person can do,
    empty when there is nothing but to wait. ``of_another``: another stack has to make it ready.
    ``asks``: what would be done to it (create, update, …) as soon as a person says so.
    """

    what: str
    why: str
    since: datetime
    next_check: datetime
    last_seen: str = ""
    todo: str = ""
    of_another: bool = False
    asks: str = ""

    def behind(self, others: tuple[Wait, ...]) -> Wait:
        """The same, looked at no sooner than those that come before it."""
        if not (self.of_another and others):
            return self
        return replace(self, next_check=min(wait.next_check for wait in others))

    def as_json(self) -> dict[str, str]:
        return {
            "what": self.what,
            "why": self.why,
            "since": self.since.isoformat(),
            "next_check": self.next_check.isoformat(),
            "last_seen": self.last_seen,
            "todo": self.todo,
            **({"asks": self.asks} if self.asks else {}),
        }


@dataclass(frozen=True)
class Done:
    """Everything is as desired."""

    def joined(self, other: Outcome) -> Outcome:
        return other


@dataclass(frozen=True)
class Waiting:
    """Nothing more can be done now."""

    waits: tuple[Wait, ...]

    def joined(self, other: Outcome) -> Outcome:
        match other:
            case Waiting(waits=waits):
                return Waiting(self.waits + tuple(wait.behind(self.waits) for wait in waits))
            case Failed():
                return other
        return self


@dataclass(frozen=True)
class Failed:
    """What depends on ``error``, or on one of the ``others``, was not done; the rest was."""

    error: ResourceFailed
    others: tuple[ResourceFailed, ...] = ()

    @property
    def permanent(self) -> bool:
        return self.error.permanent

    def joined(self, other: Outcome) -> Outcome:
        return self


Outcome = Done | Waiting | Failed


def next_check(since: datetime, now: datetime) -> datetime:
    """Soon at first, then at every tenth of the time that it has taken already."""
    return now + min(max((now - since) / 10, FIRST_CHECK), LAST_CHECK)
