"""Bodies that are too large end before they are on our disk.

Django's ASGI handler writes the whole body to a temporary file before any view is asked.
https://docs.djangoproject.com/en/5.2/howto/deployment/asgi/
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

MB = 1024**2
SMALL = 3 * MB
ARCHIVE = 2048 * MB
# How much of a body, by the end of the address; whoever shows no token gets the small one.
LARGER = {"/deployments": ARCHIVE, "/manifests": 40 * MB}

Message = Mapping[str, Any]
Scope = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


class BodyLimit:
    """An ASGI application in front of another one, for what is under /api/ and /hooks/."""

    def __init__(self, application: Application) -> None:
        self.application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        limit = limit_for(scope)
        if limit is None:
            await self.application(scope, receive, send)
        elif _announced(scope) > limit:
            await _refuse(send, limit)
        else:
            await self._counted(scope, receive, send, limit)

    async def _counted(self, scope: Scope, receive: Receive, send: Send, limit: int) -> None:
        received = 0

        async def counting() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            return message if received <= limit else {"type": "http.disconnect"}

        async def sending(message: Message) -> None:
            if received <= limit:
                await send(message)

        await self.application(scope, counting, sending)
        if received > limit:
            await _refuse(send, limit)


def limit_for(scope: Scope) -> int | None:
    """Bytes; None where others decide."""
    if scope["type"] != "http" or not scope["path"].startswith(("/api/", "/hooks/")):
        return None
    bearer = _header(scope, b"authorization").lower().startswith(b"bearer cad_")
    ending = "/" + scope["path"].rpartition("/")[2]
    return LARGER.get(ending, SMALL) if bearer else SMALL


def _announced(scope: Scope) -> int:
    length = _header(scope, b"content-length")
    return int(length) if length.isdigit() else 0


def _header(scope: Scope, name: bytes) -> bytes:
    return next((value for key, value in scope["headers"] if key == name), b"")


async def _refuse(send: Send, limit: int) -> None:
    problem = {
        "type": "about:blank",
        "title": "Request Entity Too Large",
        "status": 413,
        "detail": f"The body is larger than {limit // MB} MiB, which is the limit here.",
    }
    headers = [(b"content-type", b"application/problem+json"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": 413, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(problem).encode()})
