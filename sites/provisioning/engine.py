"""One walk over a stack, called until it converges.

``plan`` and ``advance`` are the same walk with another hand: one notes what it would do, the other
does it and records each change before the next call. Nothing here waits; a pass takes seconds.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from cloudadmin.aws import BotoCoreError, ClientError
from sites.provisioning.documents import at, overlay, placed
from sites.provisioning.drift import GONE, changed, compare, kept
from sites.provisioning.errors import NotOurs, NotYet, ResourceFailed, ResourceGaveUp, UnsafePlan
from sites.provisioning.outcomes import (
    LAST_CHECK,
    Done,
    Failed,
    Outcome,
    Wait,
    Waiting,
    next_check,
)
from sites.provisioning.plan import Change, Create, Delete, NoOp, Plan, Replace, Update
from sites.provisioning.records import Record, Store
from sites.provisioning.resources.base import Resource, State
from sites.provisioning.steps import UNKNOWN, Missing, Stack, States, known_after, not_yet

if TYPE_CHECKING:
    from cloudadmin.aws import Clients


def plan(stack: Stack, clients: Clients, store: Store) -> Plan:
    """What ``advance`` would do until it is done. Writes nothing. Raises ResourceFailed."""
    hand = _Planner()
    _walk(stack, clients, store.records(), hand)
    return Plan(tuple(hand.changes))


def advance(
    stack: Stack, clients: Clients, store: Store, *, now: datetime, only: str | None = None
) -> Outcome:
    """Make every change that is possible now.

    With ``only``, make none but that of this logical id; an empty one is nobody's. What would be
    made next is told as a wait that ``asks`` for it.
    """
    hand = _Maker(clients, store, now, only)
    _walk(stack, clients, hand.records, hand)
    return hand.outcome()


def destroy(stack: Stack, clients: Clients, store: Store, *, now: datetime) -> Outcome:
    """Delete every recorded resource, backwards, each as soon as nothing recorded needs it.

    The stack tells what needs what; a resource that it no longer describes is deleted as well.
    """
    hand = _Maker(clients, store, now)
    left = dict(reversed(hand.records.items()))
    needs = {step.logical_id: step.needs for step in stack.steps}
    tried: set[str] = set()

    def is_free(logical_id: str) -> bool:
        return not any(logical_id in needs.get(other, ()) for other in left)

    # What was made again later than what needs it comes free only behind it.
    while free := next((each for each in left if each not in tried and is_free(each)), None):
        tried.add(free)
        hand.remove(free, left[free])
        if free in hand.gone:
            del left[free]
        elif hand.stopped:
            break
    return hand.outcome()


class _Hand(Protocol):
    missing: Missing
    stopped: bool

    @contextmanager
    def trying(self, logical_id: str, action: str) -> Iterator[None]: ...
    def put_off(self, logical_id: str, needed: str) -> None: ...
    def make(self, change: Change, resource: Resource, current: State | None) -> State | None: ...
    def remove(self, logical_id: str, record: Record) -> None: ...


def _walk(stack: Stack, clients: Clients, records: dict[str, Record], hand: _Hand) -> None:
    states = dict(stack.shared)
    for step in stack.steps:
        record = records.get(step.logical_id)
        known_id = ""
        if record and record.physical_id:
            known_id = record.physical_id
            # For those that come later, should this one be put off now.
            states[step.logical_id] = record.state
        try:
            resource = step.build(States(states, hand.missing))
        except NotYet as error:
            hand.put_off(step.logical_id, error.logical_id)
            continue
        if record:
            resource = _with_accepted(resource, record)
        with hand.trying(step.logical_id, "read"):
            # What has no name yet cannot be there; only a plan meets such.
            named = UNKNOWN not in resource.label
            current = resource.read(clients, known_id) if named else None
            if current and resource.belongs_to_another(current, is_recorded=bool(record)):
                raise NotOurs(
                    f"{resource.label} is there already, and its tags say that it is not ours"
                )
            resource = _holding(resource, record, current)
            change = _compare(step.logical_id, resource, record, current)
            state = hand.make(change, resource, current)
            if state is None:
                states.pop(step.logical_id, None)
            else:
                states[step.logical_id] = state
        if hand.stopped:
            return
    described = {step.logical_id for step in stack.steps}
    for logical_id, record in reversed(records.items()):
        if logical_id not in described and not hand.stopped:
            hand.remove(logical_id, record)


def _with_accepted(resource: Resource, record: Record) -> Resource:
    """What was accepted lasts for as long as its setting stays what it was."""
    return resource.with_accepted(
        {path: record.accepted[path] for path in kept(resource, record, record.accepted)}
    )


def _holding(resource: Resource, record: Record | None, current: State | None) -> Resource:
    """The same, with what was changed on AWS and nobody asked to be put right left as it is."""
    if record is None or current is None:
        return resource
    drifted = changed(record, current)
    left = [path for path in drifted if record.leaves_drift or path in record.left]
    return replace(resource, held={path: drifted[path][0] for path in kept(resource, record, left)})


def _compare(
    logical_id: str, resource: Resource, record: Record | None, current: State | None
) -> Change:
    kind: type[Change] = Create
    differences: dict[str, tuple[Any, Any]] = {}
    # What has no name yet was not looked for.
    is_gone = record and record.physical_id and UNKNOWN not in resource.label
    drifted: tuple[str, ...] = (GONE,) if is_gone else ()
    if current is not None and current.physical_id:
        differences = resource.changes(current)
        must_replace = any(path.partition(".")[0] in resource.replace_on for path in differences)
        kind = Replace if must_replace else Update if differences else NoOp
        behind_our_back = changed(record, current) if record else {}
        drifted = tuple(path for path in differences if path in behind_our_back)
    return kind(
        logical_id,
        resource.type,
        resource.label,
        resource.keeps_data,
        differences,
        0 if kind is NoOp else resource.usual_wait,
        drifted,
    )


class _Planner:
    """Notes what would be done, as if everything that is waited for were ready."""

    def __init__(self) -> None:
        self.changes: list[Change] = []
        self.missing: Missing = known_after
        self.stopped = False

    @contextmanager
    def trying(self, logical_id: str, action: str) -> Iterator[None]:
        try:
            yield
        except (ClientError, BotoCoreError, NotOurs) as error:
            raise ResourceFailed(logical_id, action, error) from error

    def put_off(self, logical_id: str, needed: str) -> None:
        raise AssertionError(f"{logical_id}: {needed} has a stand-in in a plan")

    def make(self, change: Change, resource: Resource, current: State | None) -> State | None:
        self.changes.append(change)
        return current

    def remove(self, logical_id: str, record: Record) -> None:
        resource = record.resource
        self.changes.append(Delete(logical_id, record.type, resource.label, resource.keeps_data))


class _Maker:
    """Makes the changes, and records each one before the next call.

    A refusal stops what depends on it; an AWS that is busy or out of reach stops the pass.
    """

    def __init__(
        self, clients: Clients, store: Store, now: datetime, only: str | None = None
    ) -> None:
        self.clients = clients
        self.store = store
        self.now = now
        self.only = only
        self.held: list[str] = []
        self.records = store.records()
        self.missing: Missing = not_yet
        self.stopped = False
        self.waits: list[Wait] = []
        self.blocked: dict[str, str] = {}
        self.errors: list[ResourceFailed] = []
        self.gone: set[str] = set()

    @contextmanager
    def trying(self, logical_id: str, action: str) -> Iterator[None]:
        try:
            yield
        except (ClientError, BotoCoreError, NotOurs, ResourceGaveUp) as error:
            self._failed(ResourceFailed(logical_id, action, error))
        except ResourceFailed as error:
            self._failed(error)

    def put_off(self, logical_id: str, needed: str) -> None:
        self.blocked[logical_id] = needed

    def make(self, change: Change, resource: Resource, current: State | None) -> State | None:
        logical_id = change.logical_id
        if not isinstance(change, NoOp) and self._holds(change):
            return current
        if current is not None and current.failure:
            current = self._given_up(logical_id, resource, current)
            if current is None:
                change = Create(logical_id, resource.type, resource.label)
        if isinstance(change, Replace) and current is not None:
            current = self._delete(change, resource, current)
            if current is not None:
                return self._noted(logical_id, resource, current)
        match change:
            case NoOp() if current is not None:
                state = current
            case Update() if current is not None:
                with _named(logical_id, "update"):
                    state = resource.update(self.clients, current)
            case _:
                generation = self.store.intend(logical_id, resource)
                resource = replace(resource, generation=generation)
                with _named(logical_id, "create"):
                    state = resource.create(self.clients)
        return self._noted(logical_id, resource, state, event=self._event(change, state))

    def remove(self, logical_id: str, record: Record) -> None:
        if self.errors or self.blocked:
            return  # What is wanted comes first: it may be using this one until it is changed.
        resource = record.resource
        if resource.keeps_data and not record.may_go:
            raise UnsafePlan(
                f"{logical_id} keeps data, and no plan that was shown would delete it, so it "
                f"stays. If it shall go: `manage.py provision_site NAME --force {logical_id}`."
            )
        change = Delete(logical_id, record.type, resource.label, resource.keeps_data)
        if self._holds(change):
            return
        with self.trying(logical_id, "delete"):
            current = resource.read(self.clients, record.physical_id)
            if current and not record.physical_id:
                # An intent alone makes nothing ours that another's tags are on.
                is_others = resource.belongs_to_another(current, is_recorded=True)
                current = None if is_others else current
            remains = current and self._delete(change, resource, current)
            if remains is not None:
                self._noted(logical_id, resource, remains)
                return
            was_there = record.physical_id or current is not None
            self.store.forget(logical_id, event=change.as_text() if was_there else "")
            self.gone.add(logical_id)

    def outcome(self) -> Outcome:
        if self.errors:
            first, *others = self.errors
            return Failed(first, tuple(others))
        waits = list(self.waits)
        waiting = {wait.what for wait in waits} | {*self.held}
        for logical_id, needed in self.blocked.items():
            # Needs of this stack tell for themselves; those of another stack are told here.
            if needed not in self.blocked and needed not in waiting:
                why = f"{needed} is not ready yet."
                waits.append(Wait(logical_id, why, self.now, self._next(self.now), of_another=True))
        return Waiting(tuple(waits)) if waits else Done()

    def _holds(self, change: Change) -> bool:
        """Whether this one is not to be made now; the first such is asked for."""
        begun = self.records.get(change.logical_id)
        if self.only in (None, change.logical_id) or (begun and not begun.physical_id):
            return False
        if not self.held:
            wait = Wait(
                what=change.logical_id,
                why=f"{change.label} is next ({change.action}); it is done when you say so.",
                since=self.now,
                next_check=self.now + LAST_CHECK,
                todo="Do this step, or let the rest be done by itself.",
                asks=change.action,
            )
            self.waits.append(wait)
        self.held.append(change.logical_id)
        return True

    def _delete(self, change: Change, resource: Resource, current: State) -> State | None:
        with _named(change.logical_id, "delete"):
            return resource.delete(self.clients, current)

    def _given_up(self, logical_id: str, resource: Resource, current: State) -> State | None:
        """AWS gave up. Said once; whoever asks again after that gets a new one."""
        known = self.records.get(logical_id)
        was_told = known is not None and known.aws_status == current.aws_status
        if was_told and not resource.keeps_data:
            with _named(logical_id, "delete"):
                return resource.delete(self.clients, current)
        self._noted(logical_id, resource, current, waits=False)
        raise ResourceGaveUp(current.failure)

    def _event(self, change: Change, state: State) -> str:
        """The line of history. A create whose end nobody saw is told when it is found made."""
        before = self.records.get(change.logical_id)
        if not state.physical_id:
            return ""
        if before and not before.physical_id and not isinstance(change, Create):
            return Create(change.logical_id, change.type, change.label).as_text()
        return "" if isinstance(change, NoOp) else change.as_text()

    def _noted(
        self,
        logical_id: str,
        resource: Resource,
        state: State,
        *,
        waits: bool = True,
        event: str = "",
    ) -> State:
        before = self.records.get(logical_id)
        since = None
        if not state.ready:
            since = (before and before.waiting_since) or self.now
            if waits:
                self.waits.append(
                    Wait(
                        what=logical_id,
                        why=state.waiting_for,
                        since=since,
                        next_check=self._next(since),
                        last_seen=state.aws_status,
                        todo=state.todo,
                    )
                )
        if not (before and resource.held):
            self.store.record(logical_id, resource, state, since=since, event=event)
            return state
        drift = [
            each.as_json()
            for each in compare(logical_id, before, state)
            if each.path in resource.held
        ]
        # What was recorded is kept, for it is drift until a person says otherwise.
        known = {path: at(before.properties, path) for path in resource.held}
        state = replace(state, properties=overlay(state.properties, placed(known)))
        # In this order, for whoever is killed in between: recorded, it is left from then on.
        self.store.record(logical_id, resource, state, since=since, event=event)
        self.store.hold(logical_id, drift)
        return state

    def _next(self, since: datetime) -> datetime:
        return next_check(since, self.now)

    def _failed(self, error: ResourceFailed) -> None:
        self.errors.append(error)
        self.stopped = not error.permanent


@contextmanager
def _named(logical_id: str, action: str) -> Iterator[None]:
    try:
        yield
    except (ClientError, BotoCoreError) as error:
        raise ResourceFailed(logical_id, action, error) from error
