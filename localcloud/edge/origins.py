"""Asking an origin: S3 through its bucket policy, Lambda through its function URL."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol
from urllib.parse import quote, unquote_plus

from localcloud.edge.cache import Stored
from localcloud.edge.config import Behavior, Distribution, FunctionUrl, Origin, Passes
from localcloud.edge.event import Request
from localcloud.edge.policy import SERVICE, allows
from localcloud.edge.pop import Pop

SIGNED = "AWS4-HMAC-SHA256 Credential=cloudfront/localcloud"


class Ask(Protocol):
    """One request to MiniStack. Raises :class:`localcloud.upstream.Unreachable`."""

    async def __call__(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes = b""
    ) -> Stored: ...


async def fetch(
    request: Request,
    distribution: Distribution,
    behavior: Behavior,
    pop: Pop,
    ask: Ask,
    invoke: Ask,
) -> Stored:
    """What the behaviour's origin answers; refusals are answers too. ``invoke`` asks functions."""
    origin = distribution.origins[behavior.origin_id]
    if origin.bucket:
        return await _from_s3(request, distribution, origin, pop, ask)
    if url := pop.function_url(origin.domain_name):
        if not _may_invoke(url, distribution, origin):
            return _plain(403, '{"Message":"Forbidden"}', "application/json")
        return await _from_function_url(request, behavior, origin, url, pop, invoke)
    return _plain(502, f"The origin {origin.domain_name} is not on this machine.", "text/plain")


def _may_invoke(url: FunctionUrl, distribution: Distribution, origin: Origin) -> bool:
    """Both permissions are needed since October 2025.

    https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html
    """
    signed = bool(origin.access_control)
    if url.auth_type == "AWS_IAM" and not signed:
        return False
    context = _context(distribution) | {"lambda:FunctionUrlAuthType": url.auth_type}
    through_url = {"lambda:InvokedViaFunctionUrl": "true"}
    caller = SERVICE if signed else "*"
    return allows(
        url.policy, "lambda:InvokeFunctionUrl", url.arn, context, service=caller
    ) and allows(
        url.policy, "lambda:InvokeFunction", url.arn, context | through_url, service=caller
    )


async def _from_function_url(
    request: Request, behavior: Behavior, origin: Origin, url: FunctionUrl, pop: Pop, invoke: Ask
) -> Stored:
    headers = _origin_headers(request, behavior, pop, origin) | {"host": url.host}
    if url.auth_type == "AWS_IAM":
        headers["authorization"] = SIGNED
    query = _query(request, behavior, pop)
    target = origin.path + request.uri + (f"?{query}" if query else "")
    return await invoke(request.method, target, headers, request.body)


def _context(distribution: Distribution) -> dict[str, str]:
    return {
        "AWS:SourceArn": distribution.arn,
        "AWS:SourceAccount": distribution.account,
        "aws:SecureTransport": "true",
    }


async def _from_s3(
    request: Request, distribution: Distribution, origin: Origin, pop: Pop, ask: Ask
) -> Stored:
    # S3 reads a plus in a path as a space, through CloudFront too.
    # https://yetanothermichael.com/coding/2022/10/11/the-problem-with-plus-signs-and-s3.html
    key = unquote_plus(origin.path + request.uri).lstrip("/")
    policy, context = pop.bucket_policy(origin.bucket), _context(distribution)
    arn = f"arn:aws:s3:::{origin.bucket}"
    # Without an origin access control the request is not signed: anybody's.
    caller = SERVICE if origin.access_control else "*"
    if not allows(policy, "s3:GetObject", f"{arn}/{key}", context, service=caller):
        return _denied()
    response = await ask("GET", "/" + quote(f"{origin.bucket}/{key}", safe="/~"), {})
    if response.status == 404 and not allows(policy, "s3:ListBucket", arn, context, service=caller):
        # Who may not list may not learn that a key does not exist.
        # https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
        return _denied()
    return response


def _plain(status: int, text: str, content_type: str) -> Stored:
    return Stored(status, (("content-type", content_type),), text.encode())


def _denied() -> Stored:
    text = (
        '<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>AccessDenied</Code>'
        "<Message>Access Denied</Message></Error>"
    )
    return _plain(403, text, "application/xml")


def _passing(behavior: Behavior, pop: Pop) -> tuple[Passes, Passes]:
    """What is in the cache key is also sent to the origin, besides what the policy adds."""
    return pop.cache_policy(behavior).key, pop.origin_request_policy(behavior)


def _query(request: Request, behavior: Behavior, pop: Pop) -> str:
    key, policy = _passing(behavior, pop)
    return "&".join(
        f"{name}={value}" if value else name
        for name, value in request.query_pairs
        if key.query.passes(name) or policy.query.passes(name)
    )


def _origin_headers(
    request: Request, behavior: Behavior, pop: Pop, origin: Origin
) -> dict[str, str]:
    key, policy = _passing(behavior, pop)
    offered = {**request.headers, **viewer_headers(request)}
    headers = {
        name: value
        for name, value in offered.items()
        if name not in ("host", "cookie", "connection", "content-length", "range")
        and (key.headers.passes(name) or policy.headers.passes(name))
    }
    cookies = "; ".join(
        f"{name}={value}"
        for name, value in request.cookies
        if key.cookies.passes(name) or policy.cookies.passes(name)
    )
    if cookies:
        headers["cookie"] = cookies
    if "content-type" in request.headers and request.body:
        headers["content-type"] = request.headers["content-type"]
    headers.setdefault("user-agent", "Amazon CloudFront")
    hops = request.headers.get("x-forwarded-for")
    headers["x-forwarded-for"] = ", ".join(filter(None, (hops, request.viewer_address)))
    headers["x-amz-cf-id"] = request.id
    headers["via"] = "1.1 localcloud.cloudfront.net (CloudFront)"
    return headers | {name.lower(): value for name, value in origin.headers.items()}


def viewer_headers(request: Request) -> dict[str, str]:
    """The headers that CloudFront makes itself.

    https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/adding-cloudfront-headers.html
    """
    agent = request.headers.get("user-agent", "")
    tablet = "iPad" in agent or "Tablet" in agent
    television = "SmartTV" in agent or "SMART-TV" in agent
    mobile = "Mobi" in agent and not tablet
    address = request.viewer_address
    kinds = {
        "desktop": not (tablet or television or mobile),
        "mobile": mobile,
        "smarttv": television,
        "tablet": tablet,
    }
    return {
        "cloudfront-viewer-address": f"{address}:{request.simulated.get('port', '0')}",
        "cloudfront-viewer-country": request.simulated.get("country", "XX"),
        "cloudfront-viewer-http-version": "1.1",
        "cloudfront-forwarded-proto": "https",
        **{f"cloudfront-is-{kind}-viewer": str(is_it).lower() for kind, is_it in kinds.items()},
    }
