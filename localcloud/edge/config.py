"""What a point of presence knows: distributions, policies, functions, stores.

Built from what the CloudFront API answers (boto3's dictionaries).
https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_DistributionConfig.html
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

Document = Mapping[str, Any]


def items(block: Document | None) -> tuple[Any, ...]:
    """AWS's lists come as ``{"Quantity": n, "Items": [...]}``, without Items when empty."""
    return tuple((block or {}).get("Items") or ())


@dataclass(frozen=True)
class Selection:
    """Which headers, cookies or query strings pass: AWS's behaviour word and the names."""

    behavior: str = "none"
    names: frozenset[str] = frozenset()

    def passes(self, name: str) -> bool:
        match self.behavior:
            case "all" | "allViewer":
                return True
            case "whitelist":
                return name in self.names
            case "allExcept":
                return name not in self.names
            case "allViewerAndWhitelistCloudFront":
                return not name.startswith("cloudfront-") or name in self.names
        return False

    @classmethod
    def read(cls, block: Document, kind: str, *, fold: bool = False) -> Selection:
        """From ``{"HeaderBehavior": ..., "Headers": {"Items": [...]}}`` with kind ``Header``."""
        names = items(block.get(f"{kind}s"))
        return cls(
            block.get(f"{kind}Behavior", "none"),
            frozenset(name.lower() if fold else name for name in names),
        )


@dataclass(frozen=True)
class Passes:
    """The three selections of a cache policy or of an origin request policy."""

    headers: Selection = Selection()
    cookies: Selection = Selection()
    query: Selection = Selection()

    @classmethod
    def read(cls, block: Document) -> Passes:
        return cls(
            Selection.read(block.get("HeadersConfig", {}), "Header", fold=True),
            Selection.read(block.get("CookiesConfig", {}), "Cookie"),
            Selection.read(block.get("QueryStringsConfig", {}), "QueryString"),
        )


@dataclass(frozen=True)
class CachePolicy:
    """Times in seconds."""

    min_ttl: int = 0
    default_ttl: int = 86400
    max_ttl: int = 31536000
    key: Passes = Passes()

    @classmethod
    def read(cls, config: Document) -> CachePolicy:
        return cls(
            config["MinTTL"],
            config.get("DefaultTTL", 86400),
            config.get("MaxTTL", 31536000),
            Passes.read(config.get("ParametersInCacheKeyAndForwardedToOrigin", {})),
        )

    @classmethod
    def read_forwarded_values(cls, behavior: Document) -> CachePolicy:
        """The settings of before there were cache policies."""
        values = behavior.get("ForwardedValues", {})
        names = frozenset(items(values.get("QueryStringCacheKeys")))
        return cls(
            behavior.get("MinTTL", 0),
            behavior.get("DefaultTTL", 86400),
            behavior.get("MaxTTL", 31536000),
            Passes(
                Selection("whitelist", frozenset(n.lower() for n in items(values.get("Headers")))),
                Selection(values.get("Cookies", {}).get("Forward", "none")),
                Selection(
                    ("whitelist" if names else "all") if values.get("QueryString") else "none",
                    names,
                ),
            ),
        )


@dataclass(frozen=True)
class Function:
    code: str
    store_arn: str = ""


@dataclass(frozen=True)
class FunctionUrl:
    """A Lambda function behind ``host``; ``policy`` is its resource policy, a JSON document."""

    host: str
    arn: str
    auth_type: str
    policy: Document


@dataclass(frozen=True)
class Origin:
    id: str
    domain_name: str
    path: str
    headers: Mapping[str, str]
    access_control: str

    @property
    def bucket(self) -> str:
        """The bucket's name when this is an S3 REST endpoint, else empty."""
        found = re.fullmatch(r"(.+?)\.s3[.-](?:[a-z0-9-]+\.)?amazonaws\.com", self.domain_name)
        return found[1] if found else ""

    @classmethod
    def read(cls, block: Document) -> Origin:
        return cls(
            block["Id"],
            block["DomainName"],
            block.get("OriginPath", "").rstrip("/"),
            {h["HeaderName"]: h["HeaderValue"] for h in items(block.get("CustomHeaders"))},
            block.get("OriginAccessControlId", ""),
        )


@dataclass(frozen=True)
class Behavior:
    pattern: str
    origin_id: str
    methods: frozenset[str]
    cached_methods: frozenset[str]
    compress: bool
    cache_policy_id: str
    forwarded_values: CachePolicy
    origin_request_policy_id: str
    response_headers_policy_id: str
    viewer_request: str
    viewer_response: str

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        words = re.escape(self.pattern.lstrip("/")).replace(r"\*", ".*").replace(r"\?", ".")
        return re.compile("/" + words, re.DOTALL)

    def matches(self, path: str) -> bool:
        """``*`` and ``?``, case-sensitive; the leading slash of the pattern is optional.

        https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/DownloadDistValuesCacheBehavior.html#DownloadDistValuesPathPattern
        """
        return bool(self._pattern.fullmatch(path))

    @classmethod
    def read(cls, block: Document) -> Behavior:
        methods = block.get("AllowedMethods", {})
        functions = {
            f["EventType"]: f["FunctionARN"] for f in items(block.get("FunctionAssociations"))
        }
        return cls(
            block.get("PathPattern", "*"),
            block["TargetOriginId"],
            frozenset(items(methods) or ("GET", "HEAD")),
            frozenset(items(methods.get("CachedMethods")) or ("GET", "HEAD")),
            block.get("Compress", False),
            block.get("CachePolicyId", ""),
            CachePolicy.read_forwarded_values(block),
            block.get("OriginRequestPolicyId", ""),
            block.get("ResponseHeadersPolicyId", ""),
            functions.get("viewer-request", ""),
            functions.get("viewer-response", ""),
        )


@dataclass(frozen=True)
class ErrorResponse:
    page: str
    code: int
    min_ttl: int


@dataclass(frozen=True)
class Distribution:
    id: str
    arn: str
    domain_name: str
    caller_reference: str
    enabled: bool
    name: str
    aliases: tuple[str, ...]
    certificate_arn: str
    default_root_object: str
    origins: Mapping[str, Origin]
    behaviors: tuple[Behavior, ...]
    error_responses: Mapping[int, ErrorResponse] = field(default_factory=dict)

    def behavior(self, path: str) -> Behavior:
        """The first that matches; the default one is last and matches everything."""
        return next(b for b in self.behaviors if b.matches(path))

    @property
    def account(self) -> str:
        return self.arn.split(":")[4]

    @classmethod
    def read(cls, block: Document, tags: Iterable[Document]) -> Distribution:
        config = block["DistributionConfig"]
        return cls(
            block["Id"],
            block["ARN"],
            block["DomainName"],
            config["CallerReference"],
            config["Enabled"],
            next((tag.get("Value", "") for tag in tags if tag["Key"] == "Name"), ""),
            tuple(alias.lower() for alias in items(config.get("Aliases"))),
            config.get("ViewerCertificate", {}).get("ACMCertificateArn", ""),
            config.get("DefaultRootObject", ""),
            {o["Id"]: Origin.read(o) for o in items(config["Origins"])},
            tuple(
                Behavior.read(b)
                for b in (*items(config.get("CacheBehaviors")), config["DefaultCacheBehavior"])
            ),
            {
                e["ErrorCode"]: ErrorResponse(
                    e.get("ResponsePagePath", ""),
                    int(e.get("ResponseCode") or e["ErrorCode"]),
                    e.get("ErrorCachingMinTTL", 10),
                )
                for e in items(config.get("CustomErrorResponses"))
            },
        )
