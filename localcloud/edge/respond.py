"""From what is stored to what the viewer gets: conditions, ranges, compression, policy headers."""

from __future__ import annotations

import gzip
import re
from collections.abc import Mapping
from dataclasses import replace
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Any

from localcloud.edge.cache import Headers, Stored
from localcloud.edge.config import Behavior, items
from localcloud.edge.event import Request

# https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/ServingCompressedFiles.html
COMPRESSED_SIZES = range(1_000, 10_000_001)
COMPRESSED_TYPES = re.compile(
    r"text/.*|application/(.*\+)?(json|xml|javascript|x-javascript|wasm|manifest\+json)"
    r"|image/(svg\+xml|x-icon|vnd\.microsoft\.icon)|font/(ttf|otf)|application/(dns-.*|x-font-.*)"
)


def finish(stored: Stored, request: Request, behavior: Behavior) -> Stored:
    """The response to this very request; its body is for GET, whatever the method."""
    if stored.status == 200 and _unmodified(stored, request):
        return replace(stored, status=304, body=b"")
    if stored.status == 200 and "range" in request.headers and _range_holds(stored, request):
        return _ranged(stored, request.headers["range"])
    if behavior.compress and _compressible(stored, request):
        headers = without(stored.headers, "etag")
        if etag := stored.header("etag"):
            headers += (("etag", etag if etag.startswith("W/") else f"W/{etag}"),)
        headers += (("content-encoding", "gzip"), ("vary", "Accept-Encoding"))
        return replace(stored, headers=headers, body=_gzip(stored.body))
    return stored


def without(headers: Headers, *names: str) -> Headers:
    return tuple((name, value) for name, value in headers if name.lower() not in names)


def _unmodified(stored: Stored, request: Request) -> bool:
    """https://www.rfc-editor.org/rfc/rfc9110#section-13.2.2"""
    if "if-none-match" in request.headers:
        asked = {
            tag.strip().removeprefix("W/") for tag in request.headers["if-none-match"].split(",")
        }
        return "*" in asked or stored.header("etag").removeprefix("W/") in asked
    since = _moment(request.headers.get("if-modified-since", ""))
    changed = _moment(stored.header("last-modified"))
    return since is not None and changed is not None and changed <= since


def _moment(text: str) -> float | None:
    try:
        return parsedate_to_datetime(text).timestamp()
    except ValueError:
        return None


def _range_holds(stored: Stored, request: Request) -> bool:
    condition = request.headers.get("if-range", "")
    return not condition or condition in (stored.header("etag"), stored.header("last-modified"))


def _ranged(stored: Stored, asked: str) -> Stored:
    """One range; several, or a unit that is not bytes, get the whole (RFC 9110, 14.2)."""
    found = re.fullmatch(r"bytes=\s*(\d*)-(\d*)\s*", asked)
    if found is None or not (found[1] or found[2]):
        return stored
    size = len(stored.body)
    if found[1]:
        first, last = int(found[1]), min(int(found[2] or size), size - 1)
        if found[2] and int(found[2]) < first:
            return stored
    else:
        first, last = max(size - int(found[2]), 0), size - 1
    if first > last:
        unsatisfied = (("content-range", f"bytes */{size}"),)
        return replace(stored, status=416, headers=unsatisfied, body=b"")
    headers = (*stored.headers, ("content-range", f"bytes {first}-{last}/{size}"))
    return replace(stored, status=206, headers=headers, body=stored.body[first : last + 1])


def _compressible(stored: Stored, request: Request) -> bool:
    accepted = re.split(r"\s*,\s*", request.headers.get("accept-encoding", ""))
    gzip_accepted = any(re.fullmatch(r"(gzip|\*)(;q=(?!0(\.0*)?$).*)?", a) for a in accepted)
    kind = stored.header("content-type").partition(";")[0].strip().lower()
    return (
        gzip_accepted
        and stored.status == 200
        and not stored.header("content-encoding")
        and len(stored.body) in COMPRESSED_SIZES
        and COMPRESSED_TYPES.fullmatch(kind) is not None
    )


@lru_cache(maxsize=256)
def _gzip(body: bytes) -> bytes:
    return gzip.compress(body, 6, mtime=0)


def with_policy(headers: Headers, policy: Mapping[str, Any]) -> Headers:
    """Headers after a response headers policy.

    https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/understanding-response-headers-policies.html
    """
    removed = [each["Header"].lower() for each in items(policy.get("RemoveHeadersConfig"))]
    headers = without(headers, *removed)
    for name, value, override in _policy_headers(policy):
        present = any(key.lower() == name for key, _ in headers)
        if override or not present:
            headers = (*without(headers, name), (name, value))
    return headers


def _policy_headers(policy: Mapping[str, Any]) -> list[tuple[str, str, bool]]:
    found = [
        (each["Header"].lower(), each["Value"], each["Override"])
        for each in items(policy.get("CustomHeadersConfig"))
    ]
    for member, block in policy.get("SecurityHeadersConfig", {}).items():
        if member in SECURITY:
            name, value = SECURITY[member]
            found.append((name, value(block), block["Override"]))
    return found


def _xss(block: Mapping[str, Any]) -> str:
    if not block["Protection"]:
        return "0"
    mode = "; mode=block" if block.get("ModeBlock") else ""
    return f"1{mode}" + (f"; report={block['ReportUri']}" if block.get("ReportUri") else "")


def _hsts(block: Mapping[str, Any]) -> str:
    return (
        f"max-age={block['AccessControlMaxAgeSec']}"
        + ("; includeSubDomains" if block.get("IncludeSubdomains") else "")
        + ("; preload" if block.get("Preload") else "")
    )


SECURITY = {
    "XSSProtection": ("x-xss-protection", _xss),
    "FrameOptions": ("x-frame-options", lambda block: block["FrameOption"]),
    "ReferrerPolicy": ("referrer-policy", lambda block: block["ReferrerPolicy"]),
    "ContentSecurityPolicy": (
        "content-security-policy",
        lambda block: block["ContentSecurityPolicy"],
    ),
    "ContentTypeOptions": ("x-content-type-options", lambda _: "nosniff"),
    "StrictTransportSecurity": ("strict-transport-security", _hsts),
}
