"""The visitor counter: a Lambda function behind the site's own domain.

``GET /_cloudadmin/count?p=<path>`` counts a pageview and answers ``{"visits": N, "counted": true}``
with all pageviews of the site so far; ``/_cloudadmin/visits.json`` answers them without counting;
``/_cloudadmin/visits.js`` is the snippet that puts them on a page. Invoked directly, the function
takes ``{"action": "migrate" | "version" | "forget"}``.

Counting is one round trip: everything that must be exact under concurrency (the limit of five a
minute, first visits, sums) happens in ``counter.count_hit`` of ``schema.sql``. No address, user
agent or cookie is stored; a visitor is a hash with a salt of the day, a stranger again at midnight
UTC.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import database

HERE = Path(__file__).parent
SNIPPET = (HERE / "visits.js").read_text()
BOTS = re.compile(
    "|".join(
        re.escape(line)
        for line in (HERE / "bots.txt").read_text().splitlines()
        if line and not line.startswith("#")
    )
)
counter = database.Counter()
log = logging.getLogger(__name__)

Event = dict[str, Any]
Response = dict[str, Any]


def handler(event: Event, context: object) -> dict[str, Any]:
    """Answer a function URL request (event version 2.0) or a direct invocation."""
    if "requestContext" in event:
        return respond(event)
    action = ACTIONS.get(event.get("action", ""))
    if action is None:
        raise ValueError(f"action is one of {', '.join(ACTIONS)}, not {event.get('action')!r}")
    return action()


def respond(event: Event) -> Response:
    method = event["requestContext"]["http"]["method"]
    if method in ("GET", "HEAD"):
        match event["rawPath"]:
            case "/_cloudadmin/count":
                return count(event, _client(event))
            case "/_cloudadmin/visits.json":
                return count(event, None, "public, max-age=10")
            case "/_cloudadmin/visits.js":
                return _answer(200, SNIPPET, "public, max-age=3600", "text/javascript")
    return _answer(404, json.dumps({"error": "not found"}), "no-store")


def count(event: Event, client: bytes | None, cache_control: str = "no-store") -> Response:
    """The number, one higher when the client is counted; 503 when the database is away."""
    try:
        visits, counted = counter.count(
            site=os.environ["SITE_UID"],
            path=page_path(event),
            client=client,
            hit=str(uuid.uuid4()),
            is_bot=bool(BOTS.search(_header(event, "user-agent").lower())),
        )
    except Exception as error:  # whatever happened, the page must not suffer
        log.warning("not counted: %s: %s", type(error).__name__, error)
        return _answer(503, json.dumps({"visits": None, "counted": False}), "no-store")
    return _answer(200, json.dumps({"visits": visits, "counted": counted}), cache_control)


def page_path(event: Event) -> str:
    """The page that is counted: ``p`` of the query, else the path of the Referer.

    Decoded, without query, fragment, control characters and ``index.html``; at most 500 characters.
    """
    given = parse_qs(event.get("rawQueryString", "")).get("p", [""])[0]
    try:
        path = given or urlsplit(_header(event, "referer")).path
    except ValueError:  # a Referer such as "http://["
        path = ""
    path = unquote(re.split(r"[?#]", path, maxsplit=1)[0])
    path = "".join(character for character in path if character.isprintable())
    path = "/" + path.lstrip("/")
    return re.sub(r"/index\.html$", "/", path)[:500]


def _client(event: Event) -> bytes | None:
    """A digest that tells visitors apart, or None for whom is not to be counted."""
    address = _header(event, "cloudfront-viewer-address").rpartition(":")[0].strip("[]")
    address = address or _header(event, "x-forwarded-for").rpartition(",")[2].strip()
    address = address or event["requestContext"]["http"].get("sourceIp", "")
    declined = (
        event["requestContext"]["http"]["method"] == "HEAD"
        or _header(event, "dnt") == "1"
        or _header(event, "sec-gpc") == "1"
        or "prefetch" in _header(event, "sec-purpose") + _header(event, "purpose")
        or _header(event, "sec-fetch-site") == "cross-site"
    )
    if declined:
        return None
    known = "\n".join((os.environ["SITE_UID"], address, _header(event, "user-agent")))
    return hashlib.sha256(known.encode(errors="replace")).digest()


def _header(event: Event, name: str) -> str:
    value: str = event.get("headers", {}).get(name, "")
    return value


def _answer(
    status: int, body: str, cache_control: str, content_type: str = "application/json"
) -> Response:
    return {
        "statusCode": status,
        "headers": {
            "content-type": f"{content_type}; charset=utf-8",
            "cache-control": cache_control,
            "x-content-type-options": "nosniff",
        },
        "body": body,
    }


ACTIONS: dict[str, Callable[[], dict[str, int]]] = {
    "migrate": database.migrate,
    "version": database.version,
    "forget": database.forget,
}
