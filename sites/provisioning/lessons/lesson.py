"""What a lesson is: a thing as people name it, its reason, and the calls that make it."""

from __future__ import annotations

import re
from dataclasses import dataclass

# What the command line calls a service, where it is not AWS's own short name.
COMMANDS = {"s3": "s3api"}
WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


@dataclass(frozen=True)
class Call:
    """``action`` is AWS's name of it, as in its API reference and in CloudTrail."""

    service: str
    action: str
    does: str
    arguments: str = ""

    @property
    def name(self) -> str:
        return f"{self.service}:{self.action}"

    def as_command(self, label: str) -> str:
        """The same for a shell, about the thing of this name."""
        service = COMMANDS.get(self.service, self.service)
        verb = WORDS.sub("-", self.action).lower()
        return f"aws {service} {verb} {self.arguments}".strip().replace("NAME", label)


@dataclass(frozen=True)
class Lesson:
    """``title`` names the thing as people do, ``why`` says in a sentence what it is for."""

    title: str
    why: str
    calls: tuple[Call, ...]
