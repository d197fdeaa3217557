"""A viewer's request, and its form as the event of a CloudFront Function.

https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/functions-event-structure.html
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from localcloud.edge.cache import Stored
from localcloud.edge.config import Distribution

Event = dict[str, Any]
Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Request:
    """``uri`` and ``query`` are percent-encoded, header names lower-cased.

    ``viewer_path`` is the uri that the viewer asked for, which a function does not change.
    """

    id: str
    method: str
    uri: str
    query: str
    headers: Mapping[str, str]
    viewer_address: str
    viewer_path: str
    body: bytes = b""
    simulated: Mapping[str, str] = field(default_factory=dict)

    @property
    def query_pairs(self) -> Pairs:
        parts = (part.partition("=") for part in self.query.split("&") if part)
        return tuple((name, value) for name, _, value in parts)

    @property
    def cookies(self) -> Pairs:
        parts = (part.strip().partition("=") for part in self.headers.get("cookie", "").split(";"))
        return tuple((name, value) for name, _, value in parts if name)

    def at(self, uri: str) -> Request:
        return replace(self, uri=uri, query="", method="GET")


def to_event(request: Request, distribution: Distribution) -> Event:
    return {
        "version": "1.0",
        "context": {
            "distributionDomainName": distribution.domain_name,
            "distributionId": distribution.id,
            "eventType": "viewer-request",
            "requestId": request.id,
        },
        "viewer": {"ip": request.viewer_address},
        "request": {
            "method": request.method,
            "uri": request.uri,
            "querystring": _to_values(request.query_pairs),
            "headers": _to_values((k, v) for k, v in request.headers.items() if k != "cookie"),
            "cookies": _to_values(request.cookies),
        },
    }


def response_event(
    request: Request, distribution: Distribution, status: int, headers: Iterable[tuple[str, str]]
) -> Event:
    event = to_event(request, distribution)
    event["context"]["eventType"] = "viewer-response"
    event["response"] = {
        "statusCode": status,
        "statusDescription": _phrase(status),
        "headers": _to_values((k.lower(), v) for k, v in headers),
        "cookies": {},
    }
    return event


def from_request(request: Request, changed: Event) -> Request:
    """The request as the function returned it; the method is read-only."""
    headers = dict(_from_values(changed.get("headers", {})))
    if cookies := "; ".join(f"{k}={v}" for k, v in _from_values(changed.get("cookies", {}))):
        headers["cookie"] = cookies
    query = changed.get("querystring", {})
    return replace(
        request,
        # A function may write plain text; what is encoded already stays as it is.
        uri=quote(changed.get("uri", request.uri), safe="%/:@!$&'()*+,;=~-._"),
        query=query if isinstance(query, str) else _joined(_from_values(query)),
        headers={name.lower(): value for name, value in headers.items()},
    )


def is_response(returned: Event) -> bool:
    return "statusCode" in returned


def from_response(returned: Event) -> Stored:
    """The response that the function made, without any origin."""
    body = returned.get("body", "")
    if isinstance(body, Mapping):
        data = body.get("data", "")
        content = base64.b64decode(data) if body.get("encoding") == "base64" else data.encode()
    else:
        content = body.encode()
    cookies = (
        (
            "set-cookie",
            f"{name}={value['value']}{'; ' if value.get('attributes') else ''}"
            f"{value.get('attributes', '')}",
        )
        for name, value in returned.get("cookies", {}).items()
    )
    return Stored(
        returned["statusCode"],
        (*_from_values(returned.get("headers", {})), *cookies),
        content,
        x_cache="FunctionGeneratedResponse from cloudfront",
    )


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def _joined(pairs: Iterable[tuple[str, str]]) -> str:
    return "&".join(f"{name}={value}" if value else name for name, value in pairs)


def _to_values(pairs: Iterable[tuple[str, str]]) -> Event:
    values: Event = {}
    for name, value in pairs:
        if name in values:
            several = values[name].setdefault("multiValue", [{"value": values[name]["value"]}])
            several.append({"value": value})
        else:
            values[name] = {"value": value}
    return values


def _from_values(values: Mapping[str, Any]) -> Pairs:
    return tuple(
        (name, each.get("value", ""))
        for name, value in values.items()
        for each in value.get("multiValue") or [value]
    )
