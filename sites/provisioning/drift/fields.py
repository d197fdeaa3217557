"""Drift: what was changed on AWS behind our back, field by field.

A field has drifted when AWS says something else than we asked for *and* than it said when we last
looked. So neither a setting that is not applied yet nor AWS's own way of writing things is drift.

Drift is shown, and a person chooses: put it right, or accept it. Nothing puts it right unseen.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from cloudadmin.aws import BotoCoreError, ClientError
from sites.provisioning.documents import at, ordered
from sites.provisioning.drift.rules import DANGERS, FIXED, TOGETHER, reason
from sites.provisioning.errors import ResourceFailed
from sites.provisioning.records import Record
from sites.provisioning.resources.base import Resource, State

if TYPE_CHECKING:
    from cloudadmin.aws import Clients

LONGEST = 60
GONE = ""


@dataclass(frozen=True)
class Drift:
    """One field. ``path`` is empty when the thing itself is gone."""

    logical_id: str
    type: str
    label: str
    path: str = GONE
    recorded: Any = None
    actual: Any = None
    keeps_data: bool = False

    @property
    def is_gone(self) -> bool:
        return self.path == GONE

    @property
    def is_switched_off(self) -> bool:
        return (self.type, self.path) == ("distribution", "Enabled") and self.actual is False

    @property
    def danger(self) -> str:
        """Why it matters to the site's security; empty when it does not."""
        return reason(DANGERS, self.type, self.path)

    @property
    def is_security(self) -> bool:
        return bool(self.danger)

    @property
    def fixed(self) -> str:
        """Why it cannot be accepted, and what to do; empty when it can."""
        if self.is_gone:
            return (
                "What is gone cannot be accepted: the site needs it. Restore it, or change the "
                "site's settings so that it is not needed."
            )
        return reason(FIXED, self.type, self.path)

    @property
    def sentence(self) -> str:
        thing = f"{self.type} {self.label}"
        if self.is_gone:
            told = f"{thing} is gone from AWS."
            if self.keeps_data:
                told += " Its data went with it; restoring makes an empty one."
        elif self.is_switched_off:
            told = f"{thing} is switched off: visitors get no answer."
        else:
            told = f"{thing}: {self.path} is {shown(self.actual)}, was {shown(self.recorded)}."
        return f"{told} {self.danger}".rstrip()

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Drift:
        return cls(**{name: values[name] for name in cls.__dataclass_fields__ if name in values})


def changed(record: Record, current: State) -> dict[str, tuple[Any, Any]]:
    """The paths that drifted, as ``{path: (actual, recorded)}``."""
    if not record.physical_id or not current.physical_id:
        return {}
    known = ordered(record.properties)
    return {
        path: pair
        for path, pair in record.resource.changes(current).items()
        # What was never recorded, by an older version perhaps, cannot be told from what is new.
        if path.partition(".")[0] in known and at(known, path) != pair[0]
    }


def compare(logical_id: str, record: Record, current: State | None) -> tuple[Drift, ...]:
    """One resource as recorded against what AWS says of it now; None when it is not there."""
    if not record.physical_id:
        return ()
    about = (logical_id, record.type, record.resource.label)
    if current is None:
        return (Drift(*about, keeps_data=record.resource.keeps_data),)
    found = changed(record, current)
    return tuple(
        Drift(*about, path, recorded=recorded, actual=actual)
        for path, (actual, recorded) in found.items()
        # AWS counts its lists; the list tells more.
        if not (path.endswith(".Quantity") and _items(path) in found)
    )


def look(
    logical_id: str, record: Record, clients: Clients
) -> tuple[State | None, tuple[Drift, ...]]:
    """Read one resource: as it is now, and what of it drifted. Raises ResourceFailed."""
    try:
        current = record.resource.read(clients, record.physical_id)
    except (ClientError, BotoCoreError) as error:
        raise ResourceFailed(logical_id, "read", error) from error
    return current, compare(logical_id, record, current)


def accepting(drifts: Iterable[Drift], path: str) -> dict[str, Any]:
    """What to accept for ``path``, as ``{path: value}``: with it goes what AWS changes only
    together with it."""
    together = next((names for names in TOGETHER if path.startswith(names)), (path,))
    values: dict[str, Any] = {}
    for drift in drifts:
        if drift.path == path or drift.path.startswith(together):
            values[drift.path] = drift.actual
            if drift.path.endswith(".Items"):
                values[f"{drift.path.removesuffix('Items')}Quantity"] = len(drift.actual or ())
    return values


def kept(resource: Resource, record: Record, paths: Iterable[str]) -> list[str]:
    """Those of the paths whose desired value is what it was when it was recorded: a setting that
    was changed since is newer than what was accepted, or found, on AWS."""
    before, after = ordered(record.resource.desired()), ordered(resource.desired())
    return [path for path in paths if at(before, path) == at(after, path)]


def urgency(drift: Drift) -> tuple[bool, bool, str, str]:
    """Sorts security first, then what keeps the site from answering."""
    stops = drift.is_gone or drift.is_switched_off
    return not drift.is_security, not stops, drift.logical_id, drift.path


def shown(value: Any) -> str:
    """A value in a sentence."""
    if value is None:
        return "not set"
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."


def _items(path: str) -> str:
    return f"{path.removesuffix('Quantity')}Items"
