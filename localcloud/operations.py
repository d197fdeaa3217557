"""Which operation a request is, read from botocore's own models of the services.

https://smithy.io/2.0/aws/protocols/index.html: JSON and query calls carry their operation's name;
REST calls are known by method, path, query and the parameters that must be there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from typing import Any
from urllib.parse import parse_qsl

from botocore.loaders import Loader

from localcloud.wire import Call

LABEL = re.compile(r"\{[^}]+\}")


@dataclass(frozen=True)
class Route:
    """How a REST operation is recognised. ``query`` values that are empty may be anything."""

    operation: str
    path: re.Pattern[str]
    query: Mapping[str, str]
    headers: frozenset[str]
    rank: tuple[bool, int, int]  # deprecated ones last, then the most particular first

    def matches(self, call: Call, path: str) -> bool:
        return (
            self.path.fullmatch(path) is not None
            and all(
                name in call.query and value in ("", call.query[name])
                for name, value in self.query.items()
            )
            and self.headers.issubset(call.headers)
        )


@dataclass(frozen=True)
class Service:
    """One service as botocore describes it. ``errors``: HTTP status by code, 400 unless told."""

    name: str
    protocol: str
    operations: frozenset[str]
    errors: Mapping[str, int]
    routes: Mapping[str, tuple[Route, ...]]


@cache
def service_of(name: str) -> Service | None:
    """The service with that signing name; None for one that botocore does not know."""
    loader = Loader()
    if name not in loader.list_available_services("service-2"):
        return None
    model = loader.load_service_model(name, "service-2")
    routes: dict[str, list[Route]] = {}
    if model["metadata"]["protocol"].startswith("rest"):
        for operation, shape in model["operations"].items():
            found = _route(operation, shape, model["shapes"])
            routes.setdefault(shape["http"]["method"], []).append(found)
    return Service(
        name,
        model["metadata"]["protocol"],
        frozenset(model["operations"]),
        {
            code: shape.get("error", {}).get("httpStatusCode", 400)
            for code, shape in model["shapes"].items()
            if shape.get("exception")
        },
        {
            method: tuple(sorted(found, key=lambda route: route.rank))
            for method, found in routes.items()
        },
    )


def _route(name: str, operation: Mapping[str, Any], shapes: Mapping[str, Any]) -> Route:
    template, _, constants = operation["http"]["requestUri"].partition("?")
    query = dict(parse_qsl(constants, keep_blank_values=True))
    headers = set()
    shape = shapes.get(operation.get("input", {}).get("shape"), {})
    for required in shape.get("required", []):
        member = shape["members"][required]
        if member.get("location") == "querystring":
            query.setdefault(member["locationName"], "")
        elif member.get("location") == "header":
            headers.add(member["locationName"].lower())
    literals = LABEL.sub("", template)
    rank = (bool(operation.get("deprecated")), -len(literals), -len(query) - len(headers))
    return Route(name, _path(template), query, frozenset(headers), rank)


def _path(template: str) -> re.Pattern[str]:
    """``{Name}`` is one segment, ``{Name+}`` the rest; a slash at the end makes no difference."""
    pattern = ""
    for part in re.split(r"(\{[^}]+\})", template.rstrip("/")):
        if part.startswith("{"):
            pattern += ".+" if part.endswith("+}") else "[^/]+"
        else:
            pattern += re.escape(part)
    return re.compile(pattern + "/?", re.DOTALL)


def operation_of(call: Call) -> str:
    """Such as ``s3.PutObject``; ``s3.Unknown`` for no operation, empty for an unsigned call."""
    service = service_of(call.service)
    if service is None:
        return call.service and f"{call.service}.{call.action or 'Unknown'}"
    if not service.routes:
        return f"{service.name}.{call.action or 'Unknown'}"
    host = call.headers.get("host", "")
    path = f"/{host.partition('.s3.')[0]}{call.path}" if ".s3." in host else call.path
    for route in service.routes.get(call.method, ()):
        if route.matches(call, path):
            return f"{service.name}.{route.operation}"
    return f"{service.name}.Unknown"


def is_known(pattern: str) -> bool:
    """Whether some operation can match, such as ``*``, ``s3.*`` or ``rds.CreateDBInstance``."""
    name, _, operation = pattern.partition(".")
    if "*" in name:
        return True
    service = service_of(name)
    return service is not None and any(fnmatchcase(each, operation) for each in service.operations)
