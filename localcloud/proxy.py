"""The door for AWS's own APIs: an ASGI app in front of MiniStack.

Objects stream through untouched, both ways. Everything else is small: it is read whole and shown to
the rules of its service (:mod:`localcloud.physics`), which may refuse it or rewrite the answer.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

from localcloud.physics import Rules
from localcloud.upstream import Unreachable, Upstream
from localcloud.wire import Answer, Call

HOP_BY_HOP = frozenset(
    {b"connection", b"keep-alive", b"proxy-connection", b"te", b"transfer-encoding", b"upgrade"}
)

Headers = list[tuple[bytes, bytes]]


class Proxy:
    """ASGI app. ``healthy`` tells whether every part answers; see ``GET /_localcloud/health``."""

    def __init__(
        self,
        upstream: Upstream,
        rules: Rules,
        healthy: Callable[[], Awaitable[dict[str, bool]]],
    ) -> None:
        self.upstream = upstream
        self.rules = rules
        self.healthy = healthy

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        if scope["path"] == "/_localcloud/health":
            await self.health(send)
            return
        call = Call.of(scope)
        try:
            if self.rules.see(call):
                await self.ruled(call, scope, receive, send)
            else:
                await self.stream(scope, receive, send)
        except Unreachable as error:
            await reply(send, Answer(503, [("Content-Type", "text/plain")], str(error).encode()))

    async def ruled(self, call: Call, scope: Any, receive: Any, send: Any) -> None:
        call.body = b"".join([chunk async for chunk in body_of(receive)])

        async def forward(call: Call) -> Answer:
            headers = [(k, v) for k, v in passed_on(scope["headers"]) if k != b"content-length"]
            headers.append((b"content-length", str(len(call.body)).encode()))
            return await self.forward(call.method, target_of(scope), headers, call.body)

        await reply(send, await self.rules(call, forward))

    async def forward(self, method: str, target: bytes, headers: Headers, body: bytes) -> Answer:
        response = await self.upstream.request(method, target, headers, body)
        content = await response.read()
        kept = [
            (k.decode("latin-1"), v.decode("latin-1"))
            for k, v in passed_on(response.headers)
            if k.lower() != b"content-length"
        ]
        return Answer(response.status, kept, content)

    async def stream(self, scope: Any, receive: Any, send: Any) -> None:
        headers = passed_on(scope["headers"])
        has_body = any(k in (b"content-length", b"transfer-encoding") for k, _ in scope["headers"])
        if has_body and not any(k == b"content-length" for k, _ in headers):
            headers.append((b"transfer-encoding", b"chunked"))
        response = await self.upstream.request(
            scope["method"], target_of(scope), headers, body_of(receive) if has_body else b""
        )
        try:
            await send(
                {
                    "type": "http.response.start",
                    "status": response.status,
                    "headers": passed_on(response.headers),
                }
            )
            async for chunk in response.chunks():
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body"})
        finally:
            response.close()

    async def health(self, send: Any) -> None:
        parts = await self.healthy()
        body = json.dumps(parts).encode()
        status = 200 if all(parts.values()) else 503
        await reply(send, Answer(status, [("Content-Type", "application/json")], body))


def target_of(scope: Any) -> bytes:
    path: bytes = scope["raw_path"]
    query: bytes = scope["query_string"]
    return path + b"?" + query if query else path


def passed_on(headers: Sequence[tuple[bytes, bytes]]) -> Headers:
    return [(k, v) for k, v in headers if k.lower() not in HOP_BY_HOP and k.lower() != b"expect"]


async def body_of(receive: Any) -> AsyncIterator[bytes]:
    """Raises ConnectionError when the client leaves in the middle: never half an object."""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ConnectionError("the client went away in the middle of its request")
        if message["body"]:
            yield message["body"]
        if not message.get("more_body"):
            return


async def reply(send: Any, answer: Answer) -> None:
    headers = [(k.encode("latin-1"), v.encode("latin-1")) for k, v in answer.headers]
    headers.append((b"content-length", str(len(answer.body)).encode()))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})
