"""The edge: an ASGI app that answers visitors as CloudFront would."""

from __future__ import annotations

import asyncio
import logging
import secrets
import sys
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from localcloud.edge import pages
from localcloud.edge.cache import Stored, ttl
from localcloud.edge.config import Behavior, CachePolicy, Distribution
from localcloud.edge.event import (
    Request,
    from_request,
    from_response,
    is_response,
    response_event,
    to_event,
)
from localcloud.edge.origins import fetch, viewer_headers
from localcloud.edge.pop import Pop
from localcloud.edge.respond import finish, with_policy, without
from localcloud.function_runtime import FunctionError
from localcloud.upstream import Unreachable, Upstream

log = logging.getLogger(__name__)

# https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/HTTPStatusCodes.html
CACHED_ERRORS = frozenset({404, 414, 500, 501, 502, 503, 504})
ERROR_TTL = 10

NOT_PASSED = frozenset(
    ("connection", "keep-alive", "transfer-encoding", "content-length", "date", "server", "te")
    + ("trailer", "upgrade", "x-amz-request-id", "x-amz-id-2", "x-amzn-requestid")
)

Key = tuple[Hashable, ...]


class Edge:
    """Which POP answers: header ``X-Localcloud-Pop`` (name or index), else the first.

    ``at_once``: of calls to functions so many, and the others wait; 0: all.
    """

    def __init__(self, pops: Sequence[Pop], upstream: Upstream, at_once: int = 0) -> None:
        self.pops = pops
        self.upstream = upstream
        self._calls = asyncio.Semaphore(at_once or sys.maxsize)
        self._asking: dict[tuple[str, Key], asyncio.Future[Stored]] = {}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        request = await read_request(scope, receive)
        pop = self._pop(scope["headers"])
        response = await self.answer(request, pop)
        headers = without(response.headers, "content-length")
        headers += (
            ("content-length", str(len(response.body))),
            ("x-cache", response.x_cache),
            ("via", "1.1 localcloud.cloudfront.net (CloudFront)"),
            ("x-amz-cf-pop", pop.name),
            ("x-amz-cf-id", request.id),
        )
        bare = response.status in (204, 304)
        await send(
            {
                "type": "http.response.start",
                "status": response.status,
                "headers": [
                    (name.lower().encode(), value.encode("latin-1", "replace"))
                    for name, value in headers
                    if not (bare and name == "content-length")
                ],
            }
        )
        body = b"" if bare or request.method == "HEAD" else response.body
        await send({"type": "http.response.body", "body": body})

    def _pop(self, headers: Sequence[tuple[bytes, bytes]]) -> Pop:
        asked = next((v.decode("latin-1") for k, v in headers if k == b"x-localcloud-pop"), "0")
        for index, pop in enumerate(self.pops):
            if asked in (pop.name, str(index)):
                return pop
        return self.pops[0]

    async def answer(self, request: Request, pop: Pop) -> Stored:
        found = pop.find(request.headers.get("host", ""))
        if found is None:
            return pages.unknown_host(request.headers.get("host", ""), pop.distributions)
        distribution, host = found
        if not distribution.enabled:
            return pages.disabled(distribution)
        request = replace(request, headers={**request.headers, "host": host})
        behavior = distribution.behavior(request.uri)
        if request.method not in behavior.methods:
            return pages.method_refused(request.method, behavior.methods)
        if request.uri == "/" and distribution.default_root_object:
            request = replace(request, uri="/" + distribution.default_root_object.lstrip("/"))
        try:
            response = await self._behave(request, distribution, behavior, pop)
        except FunctionError as error:
            log.warning("function of %s on %s: %s", distribution.id, request.uri, error)
            failed = pages.function_failed(str(error))
            return replace(failed, x_cache="FunctionExecutionError from cloudfront")
        policy = pop.response_headers_policy(behavior)
        return replace(response, headers=with_policy(response.headers, policy))

    async def _behave(
        self, request: Request, distribution: Distribution, behavior: Behavior, pop: Pop
    ) -> Stored:
        if behavior.viewer_request and (runtime := pop.runtime(behavior.viewer_request)):
            returned = runtime.run(to_event(self._seen(request, behavior, pop), distribution))
            if is_response(returned):
                return from_response(returned)
            request = from_request(request, returned)
        stored = await self._cached(request, distribution, behavior, pop)
        response = finish(stored, request, behavior)
        if behavior.viewer_response and stored.status < 400:
            response = self._viewer_response(response, request, distribution, behavior, pop)
        return response

    def _seen(self, request: Request, behavior: Behavior, pop: Pop) -> Request:
        """A function sees those of CloudFront's own headers that a policy asks for."""
        selections = (
            pop.cache_policy(behavior).key.headers,
            pop.origin_request_policy(behavior).headers,
        )
        added = {
            name: value
            for name, value in viewer_headers(request).items()
            if any(name in selection.names for selection in selections)
        }
        return replace(request, headers={**request.headers, **added})

    def _viewer_response(
        self,
        response: Stored,
        request: Request,
        distribution: Distribution,
        behavior: Behavior,
        pop: Pop,
    ) -> Stored:
        runtime = pop.runtime(behavior.viewer_response)
        if runtime is None:
            return response
        event = response_event(request, distribution, response.status, response.headers)
        changed = from_response({"statusCode": response.status, **runtime.run(event)})
        # A viewer-response function sees and changes all but the body.
        return replace(response, status=changed.status, headers=changed.headers)

    async def _cached(
        self, request: Request, distribution: Distribution, behavior: Behavior, pop: Pop
    ) -> Stored:
        """From the cache, else from the origin; viewers who miss together ask once.

        Where nothing is kept, errors are.
        """
        policy = pop.cache_policy(behavior)
        if request.method not in behavior.cached_methods:
            return await self._from_origin(request, distribution, behavior, pop)
        key = cache_key(request, distribution, policy)
        if stored := pop.cache.get(key, request.viewer_path):
            hit = "Hit" if stored.status < 400 else "Error"
            age = (*without(stored.headers, "age"), ("age", str(stored.age)))
            return replace(stored, headers=age, x_cache=f"{hit} from cloudfront")
        if asking := self._asking.get((pop.name, key)):
            return await asyncio.shield(asking)
        if policy.max_ttl == 0:
            return await self._fill(key, request, distribution, behavior, pop)
        asking = asyncio.ensure_future(
            self._fill(key, replace(request, method="GET"), distribution, behavior, pop)
        )
        self._asking[pop.name, key] = asking
        asking.add_done_callback(lambda _: self._asking.pop((pop.name, key), None))
        return await asyncio.shield(asking)

    async def _fill(
        self, key: Key, request: Request, distribution: Distribution, behavior: Behavior, pop: Pop
    ) -> Stored:
        invalidations = pop.cache.invalidations
        stored = await self._from_origin(request, distribution, behavior, pop)
        stored = replace(stored, paths=frozenset({request.viewer_path, request.uri}))
        pop.cache.put(key, stored, invalidations)
        return stored

    async def _from_origin(
        self, request: Request, distribution: Distribution, behavior: Behavior, pop: Pop
    ) -> Stored:
        stored = await self._fetch(request, distribution, behavior, pop)
        if stored.status >= 400:
            return await self._error(stored, request, distribution, pop)
        times = (stored.header("cache-control"), stored.header("expires"), stored.header("date"))
        return replace(stored, ttl=ttl(pop.cache_policy(behavior), *times))

    async def _fetch(
        self, request: Request, distribution: Distribution, behavior: Behavior, pop: Pop
    ) -> Stored:
        try:
            return await fetch(request, distribution, behavior, pop, self._ask, self._invoke)
        except Unreachable as error:
            return pages.origin_failed(str(error))

    async def _invoke(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes = b""
    ) -> Stored:
        async with self._calls:
            return await self._ask(method, target, headers, body)

    async def _ask(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes = b""
    ) -> Stored:
        sent = {"host": f"{self.upstream.host}:{self.upstream.port}", **headers}
        if body or method not in ("GET", "HEAD"):
            sent["content-length"] = str(len(body))
        response = await self.upstream.request(
            method,
            target.encode(),
            [(name.encode("latin-1"), value.encode("latin-1")) for name, value in sent.items()],
            body,
        )
        content = await response.read()
        kept = (
            (name.decode("latin-1"), value.decode("latin-1")) for name, value in response.headers
        )
        return Stored(
            response.status, tuple(pair for pair in kept if pair[0] not in NOT_PASSED), content
        )

    async def _error(
        self, stored: Stored, request: Request, distribution: Distribution, pop: Pop
    ) -> Stored:
        """The custom error page, fetched by its path without running any function.

        https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/GeneratingCustomErrorResponses.html
        """
        stored = replace(stored, x_cache="Error from cloudfront")
        configured = distribution.error_responses.get(stored.status)
        if configured is None:
            seconds = ERROR_TTL if stored.status in CACHED_ERRORS else 0
            floor = CachePolicy(min_ttl=seconds, default_ttl=0)
            return replace(stored, ttl=ttl(floor, stored.header("cache-control")))
        if configured.page:
            behavior = distribution.behavior(configured.page)
            page = await self._fetch(request.at(configured.page), distribution, behavior, pop)
            if page.status == 200:
                stored = replace(page, status=configured.code, x_cache=stored.x_cache)
        floor = CachePolicy(min_ttl=configured.min_ttl, default_ttl=0)
        return replace(stored, ttl=ttl(floor, stored.header("cache-control")))


def cache_key(request: Request, distribution: Distribution, policy: CachePolicy) -> Key:
    return (
        distribution.id,
        request.uri,
        tuple(pair for pair in request.query_pairs if policy.key.query.passes(pair[0])),
        tuple(pair for pair in request.cookies if policy.key.cookies.passes(pair[0])),
        tuple(
            (name, value)
            for name, value in sorted({**request.headers, **viewer_headers(request)}.items())
            if policy.key.headers.passes(name)
        ),
    )


async def read_request(scope: Any, receive: Any) -> Request:
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    headers: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        joint = "; " if name == "cookie" else ","
        headers[name] = f"{headers[name]}{joint}{value}" if name in headers else value
    ours = {name: headers.pop(name) for name in [*headers] if name.startswith("x-localcloud-")}
    path, host = scope["raw_path"].decode("latin-1"), headers.get("host", "")
    if not path.startswith("/"):  # the absolute form, as to a proxy
        target = urlsplit(path)
        path, host = target.path or "/", target.netloc
    headers["host"] = host.partition(":")[0].lower()
    peer, port = scope["client"] or ("127.0.0.1", 0)
    address = ours.get("x-localcloud-viewer-address", "").rpartition(",")[2].strip()
    return Request(
        id=secrets.token_urlsafe(42),
        method=scope["method"],
        uri=path,
        query=scope["query_string"].decode("latin-1"),
        headers=headers,
        viewer_address=address or peer,
        viewer_path=path,
        body=body,
        simulated={
            "port": str(port),
            "country": ours.get("x-localcloud-viewer-country", "XX"),
        },
    )
