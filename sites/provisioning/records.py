"""What the engine writes down, and where.

``accepted`` are the fields that were changed on AWS and shall stay as they are there: a person
writes them, and the engine ends those whose setting was changed since.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from sites.provisioning.resources import TYPES
from sites.provisioning.resources.base import Resource, State


@dataclass(frozen=True)
class Record:
    """What was written down about one resource. Without ``physical_id`` it is an intent.

    ``left`` are the paths of drift that a person chose not to have put right now. When it
    ``leaves_drift``, nobody was shown what changed on AWS since, so all of that stays as it is.
    What keeps data and not ``may_go`` was to be deleted in no plan that was shown.
    """

    type: str
    inputs: dict[str, Any]
    physical_id: str = ""
    properties: dict[str, Any] = field(default_factory=dict)
    attributes: dict[str, Any] = field(default_factory=dict)
    aws_status: str = ""
    ready: bool = False
    waiting_since: datetime | None = None
    accepted: dict[str, Any] = field(default_factory=dict)
    generation: int = 0
    left: frozenset[str] = frozenset()
    leaves_drift: bool = False
    may_go: bool = True

    @property
    def state(self) -> State:
        return State(
            self.physical_id, self.properties, self.attributes, self.aws_status, self.ready
        )

    @property
    def resource(self) -> Resource:
        return TYPES[self.type].from_inputs(self.inputs).with_accepted(self.accepted)


class Store(Protocol):
    """Where the engine writes down what it does; each call is committed before it returns."""

    def records(self) -> dict[str, Record]:
        """By logical id, in the order of creation."""

    def intend(self, logical_id: str, resource: Resource) -> int:
        """A create is about to be sent. Returns its generation: the same for as long as its answer
        is not known, another one for each create after that.
        """

    def record(
        self,
        logical_id: str,
        resource: Resource,
        state: State,
        *,
        since: datetime | None,
        event: str = "",
    ) -> None:
        """What AWS says now; ``since`` when it is waited for, None when it is not. In the same
        commit an ``event``, one line of history.

        With it goes what the resource has as ``accepted``. Its drift is over but for what it holds.
        """

    def hold(self, logical_id: str, drift: Sequence[dict[str, Any]]) -> None:
        """What was changed on AWS and is left as it is; told once, after it was recorded."""

    def forget(self, logical_id: str, *, event: str = "") -> None:
        """It is gone; in the same commit an ``event``."""
