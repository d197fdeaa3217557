"""What every call to AWS's APIs passes first: it is named, written down, and may meet a fault.

``/_localcloud/faults`` and ``/_localcloud/calls`` answer here; see docs/local-cloud.md.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

from localcloud.faults import BadFault, Faults, answer_of
from localcloud.operations import operation_of
from localcloud.proxy import body_of, reply
from localcloud.wire import Answer, Call

KEPT = 10_000
TRANSPORT = "localcloud.transport"

App = Callable[[Any, Any, Any], Awaitable[None]]


class Protocol(H11Protocol):
    """Shows the app its connection, since ASGI has no word for hanging up without an answer."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        app = self.app

        async def with_transport(scope: Any, receive: Any, send: Any) -> None:
            scope.setdefault("extensions", {})[TRANSPORT] = transport
            await app(scope, receive, send)

        self.app = with_transport


@dataclass
class Entry:
    """``at`` is in seconds since the epoch, ``seconds`` is what the call took, None while it lasts.

    ``status`` is None until the call is answered, and for ever when its answer was lost.
    """

    number: int
    operation: str
    path: str
    status: int | None = None
    at: float = field(default_factory=time.time)
    seconds: float | None = None

    def end(self) -> None:
        self.seconds = time.time() - self.at


class CallLog:
    """The last calls, numbered from 1 in the order in which they came."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        self._entries: deque[Entry] = deque(maxlen=KEPT)
        self._count = 0

    def enter(self, operation: str, path: str) -> Entry:
        self._count += 1
        entry = Entry(self._count, operation, path)
        self._entries.append(entry)
        return entry

    def as_list(self) -> list[dict[str, Any]]:
        return [asdict(entry) for entry in self._entries]


class Front:
    """ASGI app around the proxy, and around ``pages``: other apps, by path."""

    def __init__(self, proxy: App, pages: Mapping[str, App]) -> None:
        self.proxy = proxy
        self.pages = pages
        self.faults = Faults()
        self.calls = CallLog()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        match scope["path"]:
            case "/_localcloud/faults":
                await reply(send, await self._control(self.faults, scope["method"], receive))
            case "/_localcloud/calls":
                await reply(send, await self._control(self.calls, scope["method"], receive))
            case path if path in self.pages:
                await self.pages[path](scope, receive, send)
            case path if path.startswith("/_"):
                await self.proxy(scope, receive, send)
            case _:
                await self._pass(scope, receive, send)

    async def _control(self, what: Faults | CallLog, method: str, receive: Any) -> Answer:
        body = b"".join([chunk async for chunk in body_of(receive)])
        match method:
            case "POST" if isinstance(what, Faults):
                try:
                    what.add(json.loads(body))
                except (BadFault, ValueError) as error:
                    return _json({"error": f"/_localcloud/faults: {error}"}, 400)
            case "DELETE":
                what.clear()
            case "GET":
                pass
            case _:
                return _json({"error": f"{method} is not possible here"}, 405)
        return _json(what.as_list())

    async def _pass(self, scope: Any, receive: Any, send: Any) -> None:
        call = Call.of(scope)
        if call.is_form:  # its operation is in the body
            call.body = b"".join([chunk async for chunk in body_of(receive)])
            receive = _again(call.body, receive)
        entry = self.calls.enter(operation_of(call), scope["path"])
        try:
            await self._answer(entry, scope, receive, send)
        finally:
            entry.end()

    async def _answer(self, entry: Entry, scope: Any, receive: Any, send: Any) -> None:
        async def noting(message: Any) -> None:
            if message["type"] == "http.response.start":
                entry.status = message["status"]
            elif not message.get("more_body"):
                entry.end()  # before the caller, who may look here at once
            await send(message)

        seconds, kind = self.faults.strike(entry.operation)
        if seconds:
            await self.faults.delay(seconds)
        if not kind:
            await self.proxy(scope, receive, noting)
        elif kind == "lose":
            await self.proxy(scope, receive, _nowhere)
            await _hang_up(scope, receive)
        else:
            async for _ in body_of(receive):
                pass  # the connection goes on to the next request
            await reply(noting, answer_of(kind, entry.operation))


async def _nowhere(message: Any) -> None:
    """Where lost answers go."""


async def _hang_up(scope: Any, receive: Any) -> None:
    scope["extensions"][TRANSPORT].close()
    while (await receive())["type"] != "http.disconnect":
        pass


def _again(body: bytes, receive: Any) -> Callable[[], Awaitable[Any]]:
    """A ``receive`` that gives a body that was read already, then goes on."""
    unread = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive_again() -> Any:
        return unread.pop() if unread else await receive()

    return receive_again


def _json(document: object, status: int = 200) -> Answer:
    return Answer(status, [("Content-Type", "application/json")], json.dumps(document).encode())
