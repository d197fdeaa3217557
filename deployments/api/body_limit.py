"""Bodies that are too large end before they are on our disk.

Django's ASGI handler writes the whole body to a temporary file before any view is asked.
https://docs.djangoproject.com/en/5.2/howto/deployment/asgi/
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any

MB = 1024**2
SMALL = 3 * MB
ARCHIVE = 2048 * MB
# How much of a body, by the end of the address, for whoever shows a token.
LARGER = {"/deployments": ARCHIVE, "/manifests": 40 * MB}
WHO = "/api/v1/token"
# Each of them takes its size of our disk, twice for a moment.
LARGE_AT_ONCE = 4
# Without a byte for so long, nobody is sending any more.
STALLED_SECONDS = 60.0

Message = Mapping[str, Any]
Scope = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


class BodyLimit:
    """An ASGI application in front of another one, for what is under /api/ and /hooks/."""

    def __init__(self, application: Application) -> None:
        self.application = application
        self.large = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(("/api/", "/hooks/")):
            await self.application(scope, receive, send)
        elif (limit := limit_for(scope)) == SMALL:
            await self._limited(scope, receive, send, limit)
        elif self.large >= LARGE_AT_ONCE:
            await _refuse(send, 503, "Several large uploads are arriving already; send it again.")
        elif await self._is_known(scope, send):
            self.large += 1
            try:
                await self._limited(scope, receive, send, limit)
            finally:
                self.large -= 1

    async def _is_known(self, scope: Scope, send: Send) -> bool:
        """Have the application itself say whose token this is; its refusal is the answer."""
        asked = [header for header in scope["headers"] if header[0] in (b"authorization", b"host")]
        question = {**scope, "method": "GET", "headers": asked, "query_string": b""}
        question |= {"path": WHO, "raw_path": WHO.encode()}
        request: list[Message] = [{"type": "http.request", "body": b"", "more_body": False}]
        answer: list[Message] = []

        async def receive() -> Message:
            return request.pop() if request else await asyncio.Future()

        async def note(message: Message) -> None:
            answer.append(message)

        await self.application(question, receive, note)
        if answer[0]["status"] == HTTPStatus.OK:
            return True
        for message in answer:
            await send(message)
        return False

    async def _limited(self, scope: Scope, receive: Receive, send: Send, limit: int) -> None:
        if _announced(scope) > limit:
            await _refuse_size(send, limit)
            return
        body = _Body(receive, limit)

        async def sending(message: Message) -> None:
            if not body.is_over:
                await send(message)

        await self.application(scope, body.receive, sending)
        if body.size > limit:
            await _refuse_size(send, limit)
        elif body.is_stalled:
            await _refuse(send, 408, "The body did not arrive whole; send it again.")


class _Body:
    """The messages of a request, until its body is too large or does not go on."""

    def __init__(self, receive: Receive, limit: int) -> None:
        self._receive, self.limit = receive, limit
        self.size, self.is_whole, self.is_stalled = 0, False, False

    @property
    def is_over(self) -> bool:
        return self.size > self.limit or self.is_stalled

    async def receive(self) -> Message:
        try:
            async with asyncio.timeout(None if self.is_whole else STALLED_SECONDS):
                message = await self._receive()
        except TimeoutError:
            self.is_stalled = True
            return {"type": "http.disconnect"}
        self.is_whole = not message.get("more_body")
        self.size += len(message.get("body", b""))
        return {"type": "http.disconnect"} if self.is_over else message


def limit_for(scope: Scope) -> int:
    """Bytes. More only where more is announced, or no length: the token is looked at then."""
    larger = LARGER.get("/" + scope["path"].rpartition("/")[2], SMALL)
    is_small = 0 < _announced(scope) <= SMALL
    bearer = _header(scope, b"authorization").lower().startswith(b"bearer cad_")
    return larger if bearer and scope["method"] == "POST" and not is_small else SMALL


def _announced(scope: Scope) -> int:
    length = _header(scope, b"content-length")
    return int(length) if length.isdigit() else 0


def _header(scope: Scope, name: bytes) -> bytes:
    return next((value for key, value in scope["headers"] if key == name), b"")


async def _refuse_size(send: Send, limit: int) -> None:
    await _refuse(send, 413, f"The body is larger than {limit // MB} MiB, which is the limit here.")


async def _refuse(send: Send, status: int, detail: str) -> None:
    title = HTTPStatus(status).phrase
    problem = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    headers = [(b"content-type", b"application/problem+json"), (b"connection", b"close")]
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers.append((b"retry-after", b"10"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(problem).encode()})
