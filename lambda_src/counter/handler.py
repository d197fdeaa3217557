"""The visitor counter: a Lambda function behind the site's own domain, below ``/_cloudadmin/``.

``count?p=&h=&r=&d=&o=`` counts a pageview (path, id of the hit, referrer, release, own) and answers
``{"visits": N, "counted": true, "reason": ""}``, with all pageviews of the site so far;
``visits.json`` answers them without counting, ``visits.svg`` as a picture; ``visits.js`` is the
snippet that counts and puts them on a page, and ``me`` the page where a browser opts out.
Invoked directly, the function takes ``{"action": ...}``: see ``actions.py``.

Counting is one round trip: everything that must be exact under concurrency (the limit of five a
minute, what is counted once, sums) happens in ``counter.count_hit`` of ``schema.sql``. No address,
user agent or cookie is stored or logged; a visitor is a hash with a salt of the day, a stranger
again at midnight UTC.
"""

from __future__ import annotations

import json
import logging
import time
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qs

import actions
from badge import badge
from database import Counter, logged
from hit import NOBODY, BadRequest, Event, Hit, read
from left_out import LeftOut

HERE = Path(__file__).parent
FILES = {
    "visits.js": ("visits.js", "text/javascript"),
    "me": ("me.html", "text/html"),
    "me.css": ("me.css", "text/css"),
    "me.js": ("me.js", "text/javascript"),
}
ROOT = "/_cloudadmin/"
# A label makes a picture of its own at the edge, and anybody may think of another.
SHOWN_SECONDS = 2.0
NEVER, SECONDS, HOUR = "no-store", "public, max-age=10", "public, max-age=3600"
counter = Counter()
left_out = LeftOut()
log = logging.getLogger(__name__)
shown = (0, 0.0)  # the number of the last answer, and when that was

Response = dict[str, Any]


class Answer(NamedTuple):
    """``visits`` is None while the database is away."""

    visits: int | None
    counted: bool = False
    reason: str = ""


def handler(event: Event, context: object) -> dict[str, Any]:
    """Answer a function URL request (event version 2.0) or a direct invocation."""
    return respond(event) if "requestContext" in event else actions.run(event)


def respond(event: Event) -> Response:
    name = event["rawPath"].removeprefix(ROOT)
    if event["requestContext"]["http"]["method"] in ("GET", "HEAD"):
        match name:
            case "count":
                return count(event)
            case "visits.json":
                return _number(show(), SECONDS)
            case "visits.svg":
                return picture(event)
        if name in FILES and event["rawPath"].startswith(ROOT):
            file, content_type = FILES[name]
            return _answer(200, (HERE / file).read_text(), HOUR, content_type)
    return _answer(404, json.dumps({"error": "not found"}), NEVER)


def count(event: Event) -> Response:
    """Count a hit; 400 with the reason in words when it cannot be read."""
    try:
        hit = read(event, time.time())
    except BadRequest as error:
        return _answer(400, json.dumps({"error": str(error)}), NEVER)
    return _number(ask(hit), NEVER)


def picture(event: Event) -> Response:
    label = parse_qs(event.get("rawQueryString", "")).get("label", [""])[0]
    visits = show().visits
    status, kept = (503, NEVER) if visits is None else (200, SECONDS)
    return _answer(status, badge(visits, label), kept, "image/svg+xml")


def show() -> Answer:
    """How many there are, or were a moment ago."""
    visits, at = shown
    return Answer(visits) if 0 <= time.time() - at < SHOWN_SECONDS else ask(NOBODY)


def ask(hit: Hit) -> Answer:
    """Count what is to be counted, and say how many there are; whatever happens, say something."""
    global shown
    if hit.left_out:
        left_out.add(hit.left_out)
    told = left_out.take()
    try:
        visits, counted, reason = counter.count(hit, told)
    except Exception as error:  # the page must not suffer
        log.warning("not counted: %s", logged(error))
        return Answer(None)
    shown = visits, time.time()
    if reason and told is None:
        left_out.add(reason)
    return Answer(visits, counted, reason or hit.left_out)


def _number(answer: Answer, kept: str) -> Response:
    """503 when the database is away."""
    if answer.visits is None:
        return _answer(503, json.dumps({"visits": None, "counted": False}), NEVER)
    return _answer(200, json.dumps(answer._asdict()), kept)


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
