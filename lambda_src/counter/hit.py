"""What a request says about a hit, and the little of it that is kept.

Of the address and the user agent only a digest leaves this module, and the database salts it.
"""

from __future__ import annotations

import hashlib
import os
import re
import uuid
from collections.abc import Callable
from ipaddress import IPv4Address, ip_address
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

Event = dict[str, Any]

MAX_BYTES = 2048
MAX_CHARACTERS = 500
DAY = 86_400  # seconds


class BadRequest(ValueError):
    """The request cannot be read; the text tells its sender why."""


class Hit(NamedTuple):
    """The parameters of ``count_hit``. ``left_out`` is why it is not to be counted, or empty."""

    path: str = ""
    client: bytes | None = None
    address: bytes | None = None
    hit: str | None = None
    is_bot: bool = False
    referrer: str = ""
    country: str = ""
    device: str = ""
    deployment: str = ""
    left_out: str = ""


NOBODY = Hit()


def read(event: Event, now: float) -> Hit:
    """The hit of a request to count. ``now`` is in seconds since 1970.

    Raises BadRequest when the request cannot have come from the snippet.
    """
    fields = _fields(event)
    identity = _identity(fields["h"], now)
    left_out = _left_out(event, fields) or ("" if _is_of_the_day(identity, now) else "clock")
    if not re.fullmatch("[0-9]{0,9}", fields["d"]):
        raise BadRequest("d is not the number of a release")
    return Hit(
        path=_path(event, fields["p"]),
        client=None if left_out else _client(event),
        address=None if left_out else _digest(_network(_address(event))),
        hit=str(identity),
        is_bot=is_bot(_header(event, "user-agent")),
        referrer=_referrer(event, fields["r"]),
        country=_country(event),
        device=_device(event),
        deployment=fields["d"].lstrip("0"),
        left_out=left_out,
    )


def _fields(event: Event) -> dict[str, str]:
    """The parameters that have a meaning, decoded once; those that were not given are empty."""
    try:
        given = parse_qs(event.get("rawQueryString", ""), errors="strict", max_num_fields=32)
    except UnicodeError:
        raise BadRequest("the query is not UTF-8") from None
    except ValueError:
        raise BadRequest("the query has more than 32 fields") from None
    fields = {name: given.get(name, [""])[0] for name in ("p", "h", "r", "d", "o")}
    for name, value in fields.items():
        if len(value.encode(errors="replace")) > MAX_BYTES:
            raise BadRequest(f"{name} has more than {MAX_BYTES:,} bytes")
    return fields


def _identity(given: str, now: float) -> uuid.UUID:
    """The id that the page gave to its hit, else a new one: UUIDv7, whose 48 first bits are ms."""
    if not given:
        return uuid.UUID(f"{int(now * 1000):012x}7{uuid.uuid4().hex[13:]}")
    try:
        identity = uuid.UUID(given)
    except ValueError:
        raise BadRequest("h is not a UUID") from None
    if identity.version != 7:
        raise BadRequest("h is not a UUID of version 7, which tells its time")
    return identity


def _is_of_the_day(identity: uuid.UUID, now: float) -> bool:
    """Ids are kept for a day, so an older one could be counted again."""
    return abs((identity.int >> 80) / 1000 - now) <= DAY


def _left_out(event: Event, fields: dict[str, str]) -> str:
    reasons: dict[str, Callable[[], bool]] = {
        "head": lambda: event["requestContext"]["http"]["method"] == "HEAD",
        "prefetch": lambda: "prefetch" in _header(event, "sec-purpose") + _header(event, "purpose"),
        "declined": lambda: "1" in (_header(event, "dnt"), _header(event, "sec-gpc")),
        "other-site": lambda: _header(event, "sec-fetch-site") == "cross-site",
        "own": lambda: fields["o"] == "1",
    }
    return next((reason for reason, holds in reasons.items() if holds()), "")


def _path(event: Event, given: str) -> str:
    """The page: ``p``, which is a path as a browser has it, encoded; else that of the Referer.

    Without query, fragment, control characters and ``index.html``; at most 500 characters.
    """
    path = given or _referring(event).path
    try:
        path = unquote(re.split(r"[?#]", path, maxsplit=1)[0], errors="strict")
    except UnicodeError:
        raise BadRequest("the path is not UTF-8") from None
    path = "/" + _printable(path).lstrip("/")
    return re.sub(r"/index\.html$", "/", path)[:MAX_CHARACTERS]


def _referrer(event: Event, given: str) -> str:
    """The host that led here, in lower case and without "www."; empty for the site itself."""
    try:
        host = _host(urlsplit(given).hostname)
    except ValueError:  # such as "http://["
        return ""
    return "" if host == _host(_referring(event).hostname) else host


def _referring(event: Event) -> Any:
    """What the Referer says, which for a request of the snippet is the page that is counted."""
    try:
        return urlsplit(_header(event, "referer"))
    except ValueError:
        return urlsplit("")


def _host(hostname: str | None) -> str:
    return _printable(hostname or "").lower().removeprefix("www.")[:MAX_CHARACTERS]


def _country(event: Event) -> str:
    country = _header(event, "cloudfront-viewer-country")
    # XX, which ISO 3166 leaves to its users, is how some write that they do not know.
    return country if re.fullmatch("[A-Z]{2}", country) and country != "XX" else ""


def _device(event: Event) -> str:
    """A tablet may be a mobile viewer to CloudFront; only Android phones say "Mobile".

    https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/adding-cloudfront-headers.html
    and https://developer.chrome.com/docs/multidevice/user-agent
    """
    agent = _header(event, "user-agent").lower()
    if "ipad" in agent or "tablet" in agent or ("android" in agent and "mobile" not in agent):
        return "tablet"
    if "mobi" in agent or _header(event, "cloudfront-is-mobile-viewer") == "true":
        return "mobile"
    return "desktop"


def _client(event: Event) -> bytes:
    """A digest that tells visitors apart, for as long as the database's salt is the same."""
    return _digest(_address(event), _header(event, "user-agent"))


def _digest(*known: str) -> bytes:
    text = "\n".join((os.environ["SITE_UID"], *known))
    return hashlib.sha256(text.encode(errors="replace")).digest()


def _address(event: Event) -> str:
    address = _header(event, "cloudfront-viewer-address").rpartition(":")[0].strip("[]")
    address = address or _header(event, "x-forwarded-for").rpartition(",")[2].strip()
    return address or event["requestContext"]["http"].get("sourceIp", "")


def _network(address: str) -> str:
    """The address, of IPv6 its first 64 bits: the others are chosen by who has it (RFC 4291)."""
    try:
        known = ip_address(address)
    except ValueError:
        return address
    if isinstance(known, IPv4Address) or known.ipv4_mapped:
        return address
    return known.packed[:8].hex()


def is_bot(agent: str) -> bool:
    """Whether a user agent has a piece of ``bots.txt``."""
    for piece in PEOPLE:
        agent = agent.replace(piece, "")
    lower = agent.lower()
    return any(piece in lower for piece in WORDS) or any(piece in agent for piece in NAMES)


def _printable(text: str) -> str:
    return "".join(character for character in text if character.isprintable())


def _header(event: Event, name: str) -> str:
    value: str = event.get("headers", {}).get(name, "")
    return value


_LINES = (Path(__file__).parent / "bots.txt").read_text().splitlines()
_PIECES = [line for line in _LINES if line and not line.startswith("#")]
PEOPLE = tuple(piece[1:] for piece in _PIECES if piece.startswith("!"))
WORDS = tuple(piece for piece in _PIECES if piece == piece.lower() and piece[0] != "!")
NAMES = tuple(piece for piece in _PIECES if piece != piece.lower() and piece[0] != "!")
