"""What AWS answered to the calls of a block of code, as its support wants to hear it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

READS = ("Describe", "Get", "Head", "List")


@dataclass(frozen=True)
class Answer:
    """Empty where AWS did not answer. ``call`` is AWS's own name, ``resent`` how often the SDK sent
    it again."""

    call: str = ""
    status: int = 0
    request_id: str = ""
    code: str = ""
    resent: int = 0


_noted: ContextVar[list[Answer] | None] = ContextVar("noted", default=None)


@contextmanager
def noting_calls() -> Iterator[None]:
    """Within it, what AWS answered is remembered for ``changes_since``."""
    token = _noted.set([])
    try:
        yield
    finally:
        _noted.reset(token)


def note_call(model: Any, parsed: Mapping[str, Any], **_: Any) -> None:
    """botocore's ``after-call``."""
    noted = _noted.get()
    if noted is not None and not model.name.startswith(READS):
        noted.append(_answer(model.name, parsed))


def changes_since() -> list[Answer]:
    """The calls that may have changed something, since it was asked the last time."""
    noted = _noted.get()
    if not noted:
        return []
    found = [*noted]
    noted.clear()
    return found


def answer_of(error: Exception) -> Answer:
    """Of botocore's ``ClientError``; of any other error, there is none."""
    response = getattr(error, "response", None)
    if not isinstance(response, Mapping):
        return Answer()
    return _answer(getattr(error, "operation_name", ""), response)


def _answer(call: str, parsed: Mapping[str, Any]) -> Answer:
    told = parsed.get("ResponseMetadata", {})
    return Answer(
        call=call,
        status=told.get("HTTPStatusCode", 0),
        request_id=told.get("RequestId", ""),
        code=parsed.get("Error", {}).get("Code", ""),
        resent=told.get("RetryAttempts", 0),
    )
