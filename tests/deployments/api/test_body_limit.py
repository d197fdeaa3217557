"""Bodies that are too large never reach the disk."""

from __future__ import annotations

import asyncio
import json

import pytest

from deployments.api.body_limit import ARCHIVE, MB, SMALL, BodyLimit, limit_for

TOKEN = [(b"authorization", b"Bearer cad_x")]


def scope(path: str, headers: list[tuple[bytes, bytes]] | None = None) -> dict:
    return {"type": "http", "path": path, "headers": headers or []}


def send_to(path: str, chunks: list[bytes], headers: list[tuple[bytes, bytes]]) -> tuple[list, int]:
    """What is answered, and how many bytes the application was given."""
    given, sent, left = 0, [], list(chunks)

    async def application(scope, receive, send) -> None:
        nonlocal given
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            given += len(message["body"])
            if not message["more_body"]:
                break
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def receive() -> dict:
        body = left.pop(0)
        return {"type": "http.request", "body": body, "more_body": bool(left)}

    async def send(message) -> None:
        sent.append(message)

    asyncio.run(BodyLimit(application)(scope(path, headers), receive, send))
    return sent, given


@pytest.mark.parametrize(
    ("path", "headers", "limit"),
    [
        ("/admin/", [], None),
        ("/api/v1/sites/shop/rollback", TOKEN, SMALL),
        ("/api/v1/sites/shop/deployments", TOKEN, ARCHIVE),
        ("/api/v1/sites/shop/deployments", [], SMALL),
        ("/api/v1/sites/shop/manifests", TOKEN, 40 * MB),
        ("/hooks/github/x", TOKEN, SMALL),
    ],
)
def test_limits(path, headers, limit):
    assert limit_for(scope(path, headers)) == limit


def test_what_fits_goes_through():
    sent, given = send_to("/api/v1/x", [b"x" * MB] * 3, [])
    assert (sent[0]["status"], given) == (200, 3 * MB)


def test_an_announced_length_is_refused_unread():
    sent, given = send_to("/api/v1/x", [b"x"], [(b"content-length", b"9999999999")])
    assert (sent[0]["status"], given) == (413, 0)
    assert json.loads(sent[1]["body"])["status"] == 413


def test_a_body_that_says_no_length_is_cut():
    sent, given = send_to("/api/v1/x", [b"x" * MB] * 20, [])
    assert sent[0]["status"] == 413
    assert given <= SMALL
