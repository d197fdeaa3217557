"""A plan is a value: what would be done, in Terraform's words, shown before it is done."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from typing import Any, ClassVar

from sites.provisioning.errors import PlanChanged, UnsafePlan


@dataclass(frozen=True)
class Change:
    """One line of a plan. ``differences`` is ``{path: (current, desired)}``."""

    action: ClassVar[str]
    symbol: ClassVar[str]
    logical_id: str
    type: str
    label: str
    keeps_data: bool = False
    differences: dict[str, tuple[Any, Any]] = field(default_factory=dict)

    def as_text(self) -> str:
        details = [
            f"      {path}: {_shown(old)} -> {_shown(new)}"
            for path, (old, new) in self.differences.items()
        ]
        return "\n".join([f"{self.symbol} {self.type}  {self.label}", *details])

    def as_json(self) -> dict[str, Any]:
        return {
            "action": self.action,
            "logical_id": self.logical_id,
            "type": self.type,
            "label": self.label,
            "differences": {path: list(pair) for path, pair in self.differences.items()},
        }


class Create(Change):
    action, symbol = "create", "+"


class Update(Change):
    action, symbol = "update", "~"


class Replace(Change):
    action, symbol = "replace", "-/+"


class Delete(Change):
    action, symbol = "delete", "-"


class NoOp(Change):
    action, symbol = "no-op", " "


@dataclass(frozen=True)
class Plan:
    """The changes in the order in which they would be made."""

    changes: tuple[Change, ...] = ()

    def __add__(self, other: Plan) -> Plan:
        return Plan(self.changes + other.changes)

    @property
    def effective(self) -> tuple[Change, ...]:
        return tuple(change for change in self.changes if not isinstance(change, NoOp))

    @cached_property
    def checksum(self) -> str:
        """Equal for plans that do the same."""
        return sha256(json.dumps(self.as_json(), sort_keys=True).encode()).hexdigest()

    def as_json(self) -> list[dict[str, Any]]:
        return [change.as_json() for change in self.effective]

    def as_text(self) -> str:
        added = self._count(Create, Replace)
        changed = self._count(Update)
        removed = self._count(Delete, Replace)
        summary = f"Plan: {added} to add, {changed} to change, {removed} to destroy."
        if not self.effective:
            summary = "No changes. What is on AWS matches what is asked for."
        return "\n".join([*(change.as_text() for change in self.effective), summary])

    def raise_if_unsafe(self, force: Collection[str] = ()) -> None:
        """Refuse to delete or replace what keeps data, unless it is named in ``force``.

        Raises UnsafePlan.
        """
        unsafe = [
            change
            for change in self.effective
            if isinstance(change, Delete | Replace)
            and change.keeps_data
            and change.logical_id not in force
        ]
        if unsafe:
            lines = "; ".join(f"{change.action} {change.logical_id}" for change in unsafe)
            raise UnsafePlan(
                f"The plan would {lines}, which keeps data. If that is meant: `manage.py "
                f"provision_site NAME --force {unsafe[0].logical_id}`."
            )

    def raise_if_changed(self, checksum: str) -> None:
        """Raises PlanChanged when this is not the plan that was shown."""
        if self.checksum != checksum:
            raise PlanChanged(
                "What is on AWS changed since this plan was shown. Look at the new plan."
            )

    def _count(self, *kinds: type[Change]) -> int:
        return sum(isinstance(change, kinds) for change in self.changes)


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return text if len(text) <= 80 else f"{text[:77]}..."
