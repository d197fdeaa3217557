"""Stand-ins that keep their promises in memory."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime

from sites.provisioning.records import Record
from sites.provisioning.resources.base import Resource, State


@dataclass
class MemoryStore:
    """The engine's memory. What goes in goes through JSON, as it does on its way to a row."""

    rows: dict[str, Record] = field(default_factory=dict)
    events: list[str] = field(default_factory=list)
    writes: list[str] = field(default_factory=list)
    held: dict[str, list[dict]] = field(default_factory=dict)
    generations: int = 0

    def records(self) -> dict[str, Record]:
        return dict(self.rows)

    def intend(self, logical_id: str, resource: Resource) -> int:
        self.writes.append(f"intend {logical_id}")
        known = self.rows.get(logical_id)
        if known is None or known.physical_id or not known.generation:
            self.generations += 1
            generation = self.generations
        else:
            generation = known.generation
        self.rows[logical_id] = Record(
            resource.type,
            _through_json(resource.inputs()),
            waiting_since=known.waiting_since if known else None,
            accepted=known.accepted if known else {},
            generation=generation,
        )
        return generation

    def record(
        self,
        logical_id: str,
        resource: Resource,
        state: State,
        *,
        since: datetime | None,
        event: str = "",
    ) -> None:
        self._event(event)
        self.writes.append(f"record {logical_id}")
        known = self.rows.get(logical_id)
        self.rows[logical_id] = Record(
            type=resource.type,
            inputs=_through_json(resource.inputs()),
            physical_id=state.physical_id,
            properties=_through_json(state.properties),
            attributes=_through_json(state.attributes),
            aws_status=state.aws_status,
            ready=state.ready,
            waiting_since=since,
            accepted=_through_json(resource.accepted),
            generation=known.generation if known else 0,
            leaves_drift=bool(known and known.leaves_drift),
        )

    def forget(self, logical_id: str, *, event: str = "") -> None:
        self._event(event)
        self.writes.append(f"forget {logical_id}")
        del self.rows[logical_id]

    def hold(self, logical_id: str, drift: Sequence[dict]) -> None:
        self.held[logical_id] = json.loads(json.dumps(drift))

    def _event(self, message: str) -> None:
        if message:
            self.events.append(message)

    def states(self) -> dict[str, State]:
        """What another stack may build on."""
        return {name: row.state for name, row in self.rows.items() if row.ready}

    def summary(self) -> dict[str, dict]:
        return {name: asdict(row) for name, row in self.rows.items()}


def _through_json(value: dict) -> dict:
    copy: dict = json.loads(json.dumps(value))
    return copy


class Killed(BaseException):
    """The process ends here: nothing catches it."""


@dataclass
class FakeCloud:
    """Things by name, and a call counter that fails or kills at the nth change."""

    things: dict[str, dict] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    fail_at: int = 0
    error: BaseException | None = None
    answer_is_lost: bool = False

    def change(self, name: str, verb: str, thing: dict | None) -> None:
        self.calls.append(f"{verb} {name}")
        failing = len(self.calls) == self.fail_at
        if failing and not self.answer_is_lost:
            raise self.error or Killed
        if thing is None:
            del self.things[name]
        else:
            self.things[name] = thing
        if failing:
            raise self.error or Killed


@dataclass(frozen=True)
class FakeResource(Resource):
    """A thing with a size. ``passes`` are the reads until it is ready, or gone."""

    type = "fake"
    replace_on = frozenset({"color"})
    in_use = frozenset({"FakeInUse"})
    exists = frozenset({"FakeExists"})
    name: str
    size: int = 1
    color: str = "red"
    passes: int = 0

    @property
    def label(self) -> str:
        return self.name

    def desired(self) -> dict:
        return {"size": self.size, "color": self.color, "Tags": {"cloudadmin:site": "ours"}}

    def _read(self, clients, known_id: str) -> State | None:
        thing = clients.things.get(self.name)
        if thing is None:
            return None
        thing["age"] += 1
        ready = thing["age"] > self.passes
        return State(
            f"id-{self.name}",
            {
                "size": thing["size"],
                "color": thing["color"],
                "Tags": {"cloudadmin:site": thing.get("owner", "ours")},
            },
            {"arn": f"arn:{self.name}"},
            aws_status="ready" if ready else "pending",
            ready=ready,
            waiting_for=f"{self.name} to become ready",
            failure=thing.get("failure", ""),
        )

    def _create(self, clients) -> str:
        clients.change(self.name, "create", {**self.wanted(), "age": 0})
        return f"id-{self.name}"

    def _update(self, clients, current: State) -> None:
        clients.change(self.name, "update", {**self.wanted(), "age": 0})

    def _delete(self, clients, current: State) -> State | None:
        clients.change(self.name, "delete", None)
        return None
