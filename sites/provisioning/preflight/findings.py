"""What is wrong, told before anything is created."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any, Literal

from sites.provisioning.errors import ProvisioningError

Code = Literal["delegation", "caa", "alias", "quota", "permission"]


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, or that could not be looked at.

    ``about`` is what it concerns, ``said`` what was seen, ``todo`` what a person can do. One that
    ``blocks`` would end in a refusal of AWS: nothing is created unless its code is forced.
    ``domains`` are those of the site that it concerns.
    """

    code: Code
    about: str
    said: str
    todo: str
    blocks: bool = False
    domains: tuple[str, ...] = ()

    def as_text(self) -> str:
        return f"{'!' if self.blocks else '-'} {self.code}  {self.said}\n      Try: {self.todo}"

    def as_json(self) -> dict[str, Any]:
        return {
            "code": self.code,
            "about": self.about,
            "said": self.said,
            "todo": self.todo,
            "blocks": self.blocks,
        }


class Blocked(ProvisioningError):
    """AWS would refuse a part of the plan, so nothing was begun."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        self.findings = tuple(findings)
        told = "\n".join(finding.as_text() for finding in self.findings)
        force = " ".join(f"--force {code}" for code in sorted({f.code for f in self.findings}))
        super().__init__(
            f"Nothing was created, for AWS would refuse a part of it.\n{told}\n"
            f"To go on all the same, force it by name: {force}."
        )


def raise_if_blocked(findings: Iterable[Finding], force: Collection[str] = ()) -> None:
    """Raises Blocked, with every finding that blocks and whose code is not in ``force``."""
    blocking = [each for each in findings if each.blocks and each.code not in force]
    if blocking:
        raise Blocked(blocking)


def listed(words: Iterable[str]) -> str:
    """As people list things: sorted, with "and" before the last."""
    *others, last = sorted(words)
    return f"{', '.join(others)} and {last}" if others else last
