"""Clients that strike the calls they send: by number, or by chance."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.compat import HTTPHeaders
from botocore.httpsession import URLLib3Session

from cloudadmin.aws import Access, Clients
from tests.fakes import Killed
from tests.localcloud import http

TOKENS = frozenset({"CallerReference", "ClientRequestToken", "ClientToken", "IdempotencyToken"})


class Mode(StrEnum):
    NONE = "undisturbed"
    BEFORE = "killed-before"
    AFTER = "killed-after"
    LOST = "answer-lost"
    REFUSED = "access-denied"
    EMPTY = "empty-200"
    MALFORMED = "malformed"
    THROTTLED = "throttled"
    UNAVAILABLE = "unavailable"


# What the local cloud does, by its own words.
KINDS = {
    Mode.LOST: "lose",
    Mode.REFUSED: "refuse",
    Mode.THROTTLED: "throttle",
    Mode.UNAVAILABLE: "unavailable",
}
BY_CHANCE = frozenset({Mode.THROTTLED, Mode.UNAVAILABLE})
CHANCE = 0.3
# Answered in AWS's place, which never hears of the call.
GARBLED = {Mode.EMPTY: b"", Mode.MALFORMED: b"<Truncated><And"}


@dataclass(frozen=True)
class Strike:
    """Where each stage of a life is struck, and how.

    ``at`` are numbers from 1 of the stage's changes, or of its reads; what is sent again, by the
    SDK or by the next pass, has no number of its own. A name in their place is that operation's
    first call; a mode by chance has a seed.
    """

    mode: Mode
    at: tuple[int | str, ...] = ()
    reads: bool = False
    seed: int = 0

    def __str__(self) -> str:
        """The arguments that run it alone."""
        if self.mode in BY_CHANCE:
            return f"--mode {self.mode} --seed {self.seed}"
        numbers = " ".join(map(str, self.at))
        return f"--mode {self.mode} --at {numbers}{' --reads' if self.reads else ''}"


UNDISTURBED = Strike(Mode.NONE)


@dataclass
class Sent:
    """What was sent in one stage, by name, in order; ``struck`` are those that were hit.

    ``numbers`` are those of the requests, without what was sent again.
    """

    changes: list[str] = field(default_factory=list)
    reads: list[str] = field(default_factory=list)
    struck: list[str] = field(default_factory=list)
    numbers: dict[bool, dict[Any, int]] = field(default_factory=lambda: {False: {}, True: {}})


class StrikingClients(Clients):
    def __init__(self, endpoint_url: str) -> None:
        super().__init__(Access(region="us-east-1", endpoint_url=endpoint_url))
        self.wire = URLLib3Session()
        self.faults = f"{endpoint_url}/_localcloud/faults"
        self.strike = UNDISTURBED
        self.sent = Sent()
        # Tokens by operation, and the arguments they came with.
        self.tokens: dict[str, set[str]] = defaultdict(set)
        self.at_hand = ""
        # Of the call that was sent last; what the SDK sends again keeps them.
        self.invocation, self.is_hit = "", False

    @contextmanager
    def aimed(self, strike: Strike) -> Iterator[Sent]:
        """What is sent meanwhile, and struck."""
        self.strike, self.sent = strike, Sent()
        if strike.mode in BY_CHANCE:
            self._fault(probability=CHANCE, seed=strike.seed)
        try:
            yield self.sent
        finally:
            if strike.mode in BY_CHANCE:
                fired = sum(rule["fired"] for rule in http.get(self.faults).json())
                self.sent.struck = ["*"] * fired
                http.delete(self.faults)
            self.strike = UNDISTURBED

    def _fault(self, **rule: Any) -> None:
        rule |= {"operation": "*", "kind": KINDS[self.strike.mode]}
        http.post(self.faults, json=rule).raise_for_status()

    def _client(self, service: Any, region: str | None = None) -> Any:
        client = super()._client(service, region)
        client.meta.events.register("before-send", self._before_send)
        # Last, when the SDK has made up the tokens that it was not given.
        client.meta.events.register_last("before-parameter-build", self._note_tokens)
        return client

    def _note_tokens(self, params: Any, model: Any, **_: Any) -> None:
        for name, value in _leaves(params):
            if name in TOKENS:
                self.tokens[f"{model.name} {self.at_hand}"].add(value)

    def _before_send(
        self, request: AWSPreparedRequest, event_name: str, **_: Any
    ) -> AWSResponse | None:
        operation = event_name.partition(".")[2]
        reads = is_read(operation, request)
        calls = self.sent.reads if reads else self.sent.changes
        calls.append(operation)
        if not self._is_hit(request, operation, reads):
            return None
        self.sent.struck.append(operation)
        match self.strike.mode:
            case Mode.BEFORE:
                raise Killed
            case Mode.AFTER:
                assert self.wire.send(request).content is not None
                raise Killed
            case mode if mode in GARBLED:
                return _answer(request, GARBLED[mode])
        self._fault(times=1)  # one life at a time: the next call is this one
        return None

    def _is_hit(self, request: AWSPreparedRequest, operation: str, reads: bool) -> bool:
        """Whether it is aimed at; what is malformed stays so when the SDK sends it again."""
        before, self.invocation = self.invocation, request.headers["amz-sdk-invocation-id"]
        if self.invocation == before:
            return self.is_hit and self.strike.mode == Mode.MALFORMED
        numbers = self.sent.numbers[reads]
        request_itself = (request.method, request.url, str(request.body))
        is_new = request_itself not in numbers
        number = numbers.setdefault(request_itself, len(numbers) + 1)
        is_named = operation in self.strike.at and operation not in self.sent.struck
        is_aimed = reads == self.strike.reads and (number in self.strike.at or is_named)
        self.is_hit = is_new and is_aimed
        return self.is_hit


def is_read(operation: str, request: AWSPreparedRequest) -> bool:
    """Whether it changes nothing; the counter's "version" is a question."""
    verb = operation.partition(".")[2]
    if verb == "Invoke":
        return b"version" in (request.body or b"")
    return verb.startswith(("Get", "List", "Describe", "Head"))


def _leaves(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    match value:
        case dict():
            for key, item in value.items():
                yield from _leaves(item, key)
        case list() | tuple():
            for item in value:
                yield from _leaves(item, name)
        case _:
            yield name, value


class _Body:
    """A body in one piece, in the shape that botocore reads."""

    def __init__(self, content: bytes) -> None:
        self._content = [content]

    def read(self, *_: Any) -> bytes:
        return self._content.pop() if self._content else b""

    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self.read()


def _answer(request: AWSPreparedRequest, body: bytes) -> AWSResponse:
    return AWSResponse(request.url, 200, HTTPHeaders(), _Body(body))
