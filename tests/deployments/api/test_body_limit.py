"""Bodies that are too large never reach the disk."""

from __future__ import annotations

import asyncio
import json

import pytest

from deployments.api import body_limit
from deployments.api.body_limit import ARCHIVE, MB, SMALL, BodyLimit, limit_for

TOKEN = (b"authorization", b"Bearer cad_x")
STRANGER = (b"authorization", b"Bearer cad_y")
LARGE = (b"content-length", b"8388608")
REFUSED = {"type": "http.response.start", "status": 401, "headers": []}


def scope(path: str, headers: list[tuple[bytes, bytes]], method: str = "POST") -> dict:
    return {"type": "http", "path": path, "headers": headers, "method": method}


class Application:
    """Knows one token; ``given`` is how many bytes it was given."""

    def __init__(self) -> None:
        self.given = 0

    async def __call__(self, scope, receive, send) -> None:
        if scope["path"] == body_limit.WHO and TOKEN not in scope["headers"]:
            await send(REFUSED)
            return
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            self.given += len(message["body"])
            if not message["more_body"]:
                break
        await send({"type": "http.response.start", "status": 200, "headers": []})


class Client:
    """Sends ``chunks``; with ``stalls``, it never goes on after them."""

    def __init__(self, chunks: list[bytes], *, stalls: bool = False) -> None:
        self.left, self.stalls = list(chunks), stalls
        self.sent: list = []

    async def receive(self) -> dict:
        if not self.left:
            await asyncio.Future()
        body = self.left.pop(0)
        return {"type": "http.request", "body": body, "more_body": bool(self.left) or self.stalls}

    async def send(self, message) -> None:
        self.sent.append(message)


def send_to(path: str, chunks: list[bytes], headers: list, **options) -> tuple[list, int]:
    """What is answered, and how many bytes the application was given."""
    application, client = Application(), Client(chunks, **options)
    asyncio.run(BodyLimit(application)(scope(path, headers), client.receive, client.send))
    return client.sent, application.given


@pytest.mark.parametrize(
    ("path", "headers", "limit"),
    [
        ("/api/v1/sites/shop/rollback", [TOKEN], SMALL),
        ("/api/v1/sites/shop/deployments", [TOKEN], ARCHIVE),
        ("/api/v1/sites/shop/deployments", [TOKEN, LARGE], ARCHIVE),
        ("/api/v1/sites/shop/deployments", [TOKEN, (b"content-length", b"9")], SMALL),
        ("/api/v1/sites/shop/deployments", [], SMALL),
        ("/api/v1/sites/shop/manifests", [TOKEN], 40 * MB),
        ("/hooks/github/x", [TOKEN], SMALL),
    ],
)
def test_limits(path, headers, limit):
    assert limit_for(scope(path, headers)) == limit


def test_pages_of_people_are_left_to_others():
    sent, given = send_to("/admin/", [b"x" * MB] * 5, [])
    assert (sent[0]["status"], given) == (200, 5 * MB)


ARCHIVES = "/api/v1/sites/shop/deployments"


@pytest.mark.parametrize("headers", [[], [LARGE]], ids=["no length", "a length"])
def test_a_large_body_is_for_whoever_shows_a_token(headers):
    sent, given = send_to(ARCHIVES, [b"x" * MB] * 8, [TOKEN, *headers])
    assert (sent[0]["status"], given) == (200, 8 * MB)
    sent, given = send_to(ARCHIVES, [b"x" * MB] * 8, [STRANGER, *headers])
    assert (sent, given) == ([REFUSED], 0)


def test_few_large_bodies_arrive_at_once():
    application = Application()
    limited = BodyLimit(application)
    slow = [Client([b"x"], stalls=True) for _ in range(body_limit.LARGE_AT_ONCE)]
    late = Client([b"x"])

    async def crowd() -> None:
        arriving = [
            asyncio.create_task(limited(scope(ARCHIVES, [TOKEN]), each.receive, each.send))
            for each in slow
        ]
        async with asyncio.timeout(10):
            while application.given < len(slow):
                await asyncio.sleep(0)
        await limited(scope(ARCHIVES, [TOKEN]), late.receive, late.send)
        for each in arriving:
            each.cancel()
        await asyncio.gather(*arriving, return_exceptions=True)

    asyncio.run(crowd())
    assert late.sent[0]["status"] == 503
    assert (b"retry-after", b"10") in late.sent[0]["headers"]
    assert limited.large == 0


def test_a_body_that_does_not_go_on_is_given_up(monkeypatch):
    monkeypatch.setattr(body_limit, "STALLED_SECONDS", 0.01)
    sent, given = send_to("/api/v1/x", [b"x"], [], stalls=True)
    assert (sent[0]["status"], given) == (408, 1)


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
