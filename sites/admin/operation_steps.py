"""An operation as its page shows it: each change of its plan, and how far it is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sites.admin.plan import applied
from sites.admin.waits import ReadableWait
from sites.models import Operation, OperationEvent, OperationTry
from sites.provisioning.plan import Change

# What is said of a step, by its state.
WORDS = {
    "done": "Done",
    "waiting": "Made, not ready yet",
    "failed": "Failed",
    "now": "Next",
    "todo": "To do",
    "never": "Not done",
}


@dataclass(frozen=True)
class Step:
    """``state`` is one of ``WORDS``, ``at`` when it was done, ``seconds`` since the one before."""

    change: Change
    state: str
    at: datetime | None = None
    seconds: float | None = None
    calls: Sequence[dict[str, Any]] = field(default_factory=list)
    wait: ReadableWait | None = None

    @property
    def word(self) -> str:
        return WORDS[self.state]


def steps(
    operation: Operation,
    events: Iterable[OperationEvent],
    tries: Sequence[OperationTry],
    waits: Iterable[ReadableWait],
) -> list[Step]:
    """In the order of the plan; ``events`` come in theirs, ``tries`` too."""
    done: dict[str, tuple[OperationEvent, float]] = {}
    before = operation.created_at
    for event in events:
        if event.logical_id:
            done[event.logical_id] = event, (event.created_at - before).total_seconds()
        before = event.created_at
    waited = {wait.what: wait for wait in waits}
    is_active = operation.status in Operation.ACTIVE
    is_done = operation.status == Operation.Status.SUCCESS
    failing = {row.logical_id for row in tries if not is_done}
    found: list[Step] = []
    is_next = is_active
    for change in applied(operation):
        name = change.logical_id
        if name in done:
            event, seconds = done[name]
            state = "waiting" if is_active and name in waited else "done"
            step = Step(change, state, event.created_at, seconds, event.calls, waited.get(name))
        else:
            state = _not_done(operation, name in failing, is_next)
            is_next = is_next and state != "now"
            step = Step(change, state, wait=waited.get(name))
        found.append(step)
    return found


def _not_done(operation: Operation, is_failing: bool, is_next: bool) -> str:
    if is_failing:
        return "failed"
    if operation.status in Operation.ACTIVE:
        return "now" if is_next else "todo"
    # It was there already, as it should be.
    return "done" if operation.status == Operation.Status.SUCCESS else "never"
