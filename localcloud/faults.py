"""Faults on demand: what AWS does on a bad day, to the calls that a rule names.

A rule draws from its own seeded generator: the same calls in the same order meet the same faults.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from fnmatch import fnmatchcase
from random import Random
from typing import Any

from localcloud.operations import is_known, service_of
from localcloud.wire import Answer, ec2_error, json_error, s3_error, xml_error

KINDS = ("throttle", "unavailable", "refuse", "delay", "lose")


class BadFault(Exception):
    """A rule that cannot be; the message says what is wrong with it and what would do."""


@dataclass
class Fault:
    """``operation`` may have stars. ``after`` calls pass first; then it fires with ``probability``,
    ``times`` times at most. ``seconds`` are for ``delay``."""

    operation: str
    kind: str
    times: int | None = None
    probability: float = 1
    seed: int = 0
    seconds: float = 0
    after: int = 0
    matched: int = field(default=0, init=False)
    fired: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self._random = Random(self.seed)  # noqa: S311  chance, not secrecy

    @classmethod
    def read(cls, given: Any) -> Fault:
        """From a JSON object. Raises BadFault."""
        if not isinstance(given, dict):
            raise BadFault(f"a fault is an object with operation and kind, not {given!r}")
        if unknown := given.keys() - LIMITS.keys():
            raise BadFault(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(LIMITS)}")
        for name, (types, least, most) in LIMITS.items():
            value = given.get(name)
            if name in given and not (type(value) in types and _within(value, least, most)):
                raise BadFault(f"{name} cannot be {value!r}")
        if given.get("kind") not in KINDS:
            raise BadFault(f"kind is one of {', '.join(KINDS)}, not {given.get('kind')!r}")
        if not is_known(given.get("operation", "")):
            raise BadFault(
                f"no operation is called {given.get('operation')!r}; "
                "write it as cloudfront.CreateDistribution, s3.* or *"
            )
        return cls(**given)

    def strikes(self, operation: str) -> bool:
        """Whether this call is hit; each call that matches is counted."""
        if not fnmatchcase(operation, self.operation):
            return False
        self.matched += 1
        if self.matched <= self.after or self.fired == self.times:
            return False
        if self._random.random() >= self.probability:
            return False
        self.fired += 1
        return True


LIMITS: Mapping[str, tuple[tuple[type, ...], float, float]] = {
    "operation": ((str,), 0, 0),
    "kind": ((str,), 0, 0),
    "times": ((int,), 1, float("inf")),
    "probability": ((int, float), 0, 1),
    "seed": ((int,), float("-inf"), float("inf")),
    "seconds": ((int, float), 0, 3600),
    "after": ((int,), 0, float("inf")),
}


def _within(value: Any, least: float, most: float) -> bool:
    return isinstance(value, str) or least <= value <= most


class Faults:
    """The rules in force, in the order in which they were given."""

    def __init__(self) -> None:
        self._rules: list[Fault] = []
        self._cleared = asyncio.Event()

    def add(self, given: object) -> None:
        """One rule or a list of them, all or none. Raises BadFault."""
        self._rules += [
            Fault.read(each) for each in (given if isinstance(given, list) else [given])
        ]

    def clear(self) -> None:
        """Whoever is delayed goes on."""
        self._cleared.set()
        self._rules, self._cleared = [], asyncio.Event()

    async def delay(self, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._cleared.wait(), seconds)

    def as_list(self) -> list[dict[str, Any]]:
        return [asdict(rule) for rule in self._rules]

    def strike(self, operation: str) -> tuple[float, str]:
        """Seconds to wait, and the kind of the first other rule that fires; empty for none."""
        seconds = 0.0
        for rule in self._rules:
            if rule.strikes(operation):
                if rule.kind != "delay":
                    return seconds, rule.kind
                seconds += rule.seconds
        return seconds, ""


def answer_of(kind: str, operation: str) -> Answer:
    """What the operation's service answers when it throttles, is unavailable or refuses.

    https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html and each service's page of
    common errors, such as https://docs.aws.amazon.com/cloudfront/latest/APIReference/CommonErrors.html
    """
    name = operation.partition(".")[0]
    service = service_of(name)
    protocol = service.protocol if service else "rest-json"
    errors = service.errors if service else {}
    if "json" not in protocol:
        errors_of = {"ec2": ec2_error, "s3": s3_error}
        return _xml(kind, operation, errors_of.get(name, xml_error))
    match kind:
        case "throttle":
            codes = ("ThrottlingException", "TooManyRequestsException")
            code = next((each for each in codes if each in errors), codes[0])
            return json_error(code, "Rate exceeded", errors.get(code, 400))
        case "unavailable":
            return json_error("ServiceUnavailableException", "Service Unavailable", 503)
    status = 400 if protocol == "json" else 403  # JSON 1.1 has one status for all refusals
    return json_error("AccessDeniedException", _not_allowed(operation), status)


def _xml(kind: str, operation: str, error: Any) -> Answer:
    answer: Answer
    match kind:
        case "throttle" if error is s3_error:
            answer = s3_error("SlowDown", "Please reduce your request rate.", 503)
        case "throttle" if error is ec2_error:
            answer = ec2_error("RequestLimitExceeded", "Request limit exceeded.", 503)
        case "throttle":
            answer = error("Throttling", "Rate exceeded")
        case "unavailable":
            answer = error("ServiceUnavailable", "Service is unable to handle request.", 503)
        case _:
            code = "UnauthorizedOperation" if error is ec2_error else "AccessDenied"
            answer = error(code, _not_allowed(operation), 403)
    return answer


def _not_allowed(operation: str) -> str:
    return (
        "User: arn:aws:iam::000000000000:user/local is not authorized to perform: "
        f"{operation.replace('.', ':')} because no identity-based policy allows the action"
    )
