"""A plan is a value: what would be done, in Terraform's words, shown before it is done."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from hashlib import sha256
from typing import Any, ClassVar

from sites.provisioning.costs import Cost, cost_of, dollars
from sites.provisioning.errors import PlanChanged, UnsafePlan

# So much of what is there a plan may take away without being told twice.
FEW, LARGEST_SHARE = 3, 0.5
WHOLE_STACK = "stack"
CHANGED, GONE = "changed on AWS", "gone from AWS"


@dataclass(frozen=True)
class Change:
    """One line of a plan. ``differences`` is ``{path: (current, desired)}``; ``usual_wait`` is in
    seconds. ``drifted`` are the paths that were changed on AWS behind our back; an empty one is the
    thing itself, which is gone.
    """

    action: ClassVar[str]
    symbol: ClassVar[str]
    logical_id: str
    type: str
    label: str
    keeps_data: bool = False
    differences: dict[str, tuple[Any, Any]] = field(default_factory=dict)
    usual_wait: int = 0
    drifted: tuple[str, ...] = ()

    @property
    def cost(self) -> Cost:
        return cost_of(self.type)

    def as_text(self) -> str:
        details = [
            f"      {path}: {_shown(old)} -> {_shown(new)}{self._mark(path, CHANGED)}"
            for path, (old, new) in self.differences.items()
        ]
        head = f"{self.symbol} {self.type}  {self.label}{self._mark('', GONE)}"
        return "\n".join([head, *details])

    def _mark(self, path: str, mark: str) -> str:
        return f"  ({mark})" if path in self.drifted else ""

    def as_json(self) -> dict[str, Any]:
        return {
            "action": self.action,
            "logical_id": self.logical_id,
            "type": self.type,
            "label": self.label,
            "differences": {path: list(pair) for path, pair in self.differences.items()},
            "monthly_cost": f"{self.cost.monthly:.2f}",
            "cost_by_use": self.cost.by_use,
            "usual_wait": self.usual_wait,
            "drifted": list(self.drifted),
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
    """The changes in the order in which they would be made.

    ``shared`` come before: those of the account's stack, which every site of it may make.
    """

    changes: tuple[Change, ...] = ()
    shared: tuple[Change, ...] = ()

    def after(self, shared: Plan) -> Plan:
        return Plan(self.changes, shared.changes)

    @property
    def effective(self) -> tuple[Change, ...]:
        return tuple(c for c in self.shared + self.changes if not isinstance(c, NoOp))

    @cached_property
    def checksum(self) -> str:
        """Equal for plans that do the same to the site, and put the same drift right; what else is
        shared may come from another site."""
        own = [change for change in self.changes if not isinstance(change, NoOp)]
        drifted = [change for change in self.shared if change.drifted]
        lines = [change.as_json() for change in own + drifted]
        return sha256(json.dumps(lines, sort_keys=True).encode()).hexdigest()

    @property
    def monthly_cost(self) -> Decimal:
        """In dollars, of what would be added, while nobody visits."""
        added = (change for change in self.effective if isinstance(change, Create))
        return sum((change.cost.monthly for change in added), Decimal(0))

    @property
    def usual_wait(self) -> int:
        """Seconds, until all is ready: the longest, since waits go on side by side."""
        return max((change.usual_wait for change in self.effective), default=0)

    @property
    def summary(self) -> str:
        if not self.effective:
            return "No changes. What is on AWS matches what is asked for."
        added = self._count(Create, Replace)
        changed = self._count(Update)
        removed = self._count(Delete, Replace)
        return f"Plan: {added} to add, {changed} to change, {removed} to destroy."

    def as_json(self) -> dict[str, Any]:
        return {
            "checksum": self.checksum,
            "summary": self.summary,
            "monthly_cost": f"{self.monthly_cost:.2f}",
            "usual_wait": self.usual_wait,
            "changes": [change.as_json() for change in self.effective],
        }

    def as_text(self) -> str:
        return "\n".join([*(change.as_text() for change in self.effective), *self._ending()])

    def _ending(self) -> Iterator[str]:
        if any(isinstance(change, Create) for change in self.effective):
            amount = dollars(self.monthly_cost) if self.monthly_cost else "nothing"
            yield f"Cost: {amount} a month while nobody visits."
            uses = {c.type: c.cost.by_use for c in self.effective if isinstance(c, Create)}
            yield from (f"      {name}: {use}" for name, use in uses.items() if use)
        slow = {
            c.type: c.usual_wait for c in self.effective if c.usual_wait and c.action != "delete"
        }
        if slow:
            waits = ", ".join(f"{name} {in_words(seconds)}" for name, seconds in slow.items())
            yield f"Waits, as AWS usually takes: {waits}."
        yield self.summary

    def raise_if_unsafe(self, force: Collection[str] = ()) -> None:
        """Refuse to delete or replace what keeps data, unless it is named in ``force``; and to take
        away most of what is there, unless ``force`` names the whole stack.

        Raises UnsafePlan.
        """
        removed = [change for change in self.effective if isinstance(change, Delete | Replace)]
        unsafe = [c for c in removed if c.keeps_data and c.logical_id not in force]
        if unsafe:
            lines = "; ".join(f"{change.action} {change.logical_id}" for change in unsafe)
            raise UnsafePlan(
                f"The plan would {lines}, which keeps data. If that is meant: `manage.py "
                f"provision_site NAME --force {unsafe[0].logical_id}`."
            )
        there = [c for c in self.shared + self.changes if not isinstance(c, Create)]
        if len(removed) > max(FEW, LARGEST_SHARE * len(there)) and WHOLE_STACK not in force:
            raise UnsafePlan(
                f"The plan would take away {len(removed)} of the {len(there)} things that are "
                "there. If that is meant: `manage.py provision_site NAME --force "
                f"{WHOLE_STACK}`."
            )

    def raise_if_changed(self, checksum: str) -> None:
        """Raises PlanChanged when this is not the plan that was shown."""
        if self.checksum != checksum:
            raise PlanChanged(
                "What is on AWS changed since this plan was shown, so nothing was done. Look at "
                "the new plan, then apply that one."
            )

    def _count(self, *kinds: type[Change]) -> int:
        return sum(isinstance(change, kinds) for change in self.effective)


def in_words(seconds: int) -> str:
    """As people say how long something takes."""
    if seconds < 90:
        return "about a minute" if seconds > 45 else f"about {seconds} seconds"
    return f"about {round(seconds / 60)} minutes"


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return text if len(text) <= 80 else f"{text[:77]}..."
