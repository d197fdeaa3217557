"""What a stack is made of: steps that build resources from the states of others.

A step does not list what it needs. It asks for it, and that is how the order is known: what is not
there yet puts the step off (``not_yet``), or is stood in for in a plan (``known_after``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from sites.provisioning.errors import NotYet
from sites.provisioning.resources.base import Resource, State

# Answers for a logical id that is not known: a stand-in, or NotYet.
Missing = Callable[[str], str]

UNKNOWN = "(known after"


class Attributes(dict[str, Any]):
    """Attributes of one resource; ``missing`` answers for those that are not known yet."""

    def __init__(self, logical_id: str, known: Mapping[str, Any], missing: Missing) -> None:
        super().__init__(known)
        self.logical_id = logical_id
        self.missing = missing

    def __missing__(self, key: str) -> Any:
        return self.missing(self.logical_id)


class States:
    """What is known of the other resources while one is built; notes which were asked for."""

    def __init__(self, known: Mapping[str, State], missing: Missing) -> None:
        self.known = known
        self.missing = missing
        self.asked: set[str] = set()

    def __getitem__(self, logical_id: str) -> State:
        self.asked.add(logical_id)
        state = self.known.get(logical_id)
        if state is None or not state.physical_id:
            state = State(self.missing(logical_id))
        return replace(state, attributes=Attributes(logical_id, state.attributes, self.missing))

    def named(self, logical_id: str, name: str) -> str:
        """The name that it is known to have, once it is there."""
        _ = self[logical_id]
        return name

    def ready(self, logical_id: str) -> State:
        state = self[logical_id]
        if not state.ready:
            self.missing(logical_id)
        return state

    def when_ready(self, logical_id: str) -> State | None:
        try:
            return self.ready(logical_id)
        except NotYet:
            return None


def not_yet(logical_id: str) -> str:
    raise NotYet(logical_id)


def known_after(logical_id: str) -> str:
    """For plans: what an apply would know by then."""
    return f"{UNKNOWN} {logical_id})"


@dataclass(frozen=True)
class Step:
    """One resource of a stack."""

    logical_id: str
    build: Callable[[States], Resource]

    @property
    def needs(self) -> frozenset[str]:
        """The logical ids that it is built from, whether it has to wait for them or not."""
        states = States({}, known_after)
        self.build(states)
        return frozenset(states.asked)


@dataclass(frozen=True)
class Stack:
    """Steps in order. ``shared`` are states of another stack that these are built from."""

    steps: tuple[Step, ...]
    shared: Mapping[str, State]
