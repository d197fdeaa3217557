"""One point of presence: what it has heard so far, and its own cache."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from localcloud.edge.cache import Cache
from localcloud.edge.config import (
    Behavior,
    CachePolicy,
    Distribution,
    Function,
    FunctionUrl,
    Passes,
)
from localcloud.function_runtime import FunctionRuntime

NAMES = ("SFO53-C1", "FRA60-P1", "SIN2-P2")


class Pop:
    """``name`` is the code in ``X-Amz-Cf-Pop``."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.cache = Cache()
        self._things: dict[tuple[str, str], Any] = {}
        self._hosts: dict[str, Distribution] = {}
        self._runtimes: dict[str, FunctionRuntime] = {}

    def put(self, kind: str, key: str, value: Any) -> None:
        """None means that the thing is gone."""
        if value is None:
            self._things.pop((kind, key), None)
        elif kind == "store":
            # A store is one object that runtimes hold on to: changed in place.
            items = self.store(key)
            items.clear()
            items.update(value)
        else:
            self._things[kind, key] = value
        if kind == "function":
            self._runtimes.pop(key, None)
        if kind == "distribution":
            self._hosts = {
                host: distribution
                for distribution in self.distributions
                for host in (distribution.domain_name, *distribution.aliases)
            }

    def update_store(self, arn: str, puts: Mapping[str, str], deletes: Iterable[str]) -> None:
        """All or nothing: no request runs in between."""
        items = self.store(arn)
        items.update(puts)
        for key in deletes:
            items.pop(key, None)

    def store(self, arn: str) -> dict[str, str]:
        found: dict[str, str] = self._things.setdefault(("store", arn), {})
        return found

    @property
    def distributions(self) -> list[Distribution]:
        return [value for (kind, _), value in self._things.items() if kind == "distribution"]

    def find(self, host: str) -> tuple[Distribution, str] | None:
        """The distribution that serves a host, and the host as it sees it.

        Browsers resolve ``X.localhost``: X may be an alias, the first label of the distribution's
        own domain name, or its tag ``Name``.
        """
        if found := self._by_alias(host):
            return found, host
        if not host.endswith(".localhost"):
            return None
        name = host.removesuffix(".localhost")
        if found := self._by_alias(name):
            return found, name
        for distribution in self.distributions:
            if name in (distribution.domain_name.partition(".")[0], distribution.name.lower()):
                return distribution, distribution.domain_name
        return None

    def _by_alias(self, host: str) -> Distribution | None:
        return self._hosts.get(host) or self._hosts.get("*." + host.partition(".")[2])

    def runtime(self, arn: str) -> FunctionRuntime | None:
        name = arn.rpartition("/")[2]
        if name not in self._runtimes:
            function: Function | None = self._things.get(("function", name))
            if function is None:
                return None
            self._runtimes[name] = FunctionRuntime(function.code, self.store(function.store_arn))
        return self._runtimes[name]

    def cache_policy(self, behavior: Behavior) -> CachePolicy:
        if not behavior.cache_policy_id:
            return behavior.forwarded_values
        found: CachePolicy = self._things.get(
            ("cache_policy", behavior.cache_policy_id), CachePolicy()
        )
        return found

    def origin_request_policy(self, behavior: Behavior) -> Passes:
        found: Passes = self._things.get(
            ("origin_request_policy", behavior.origin_request_policy_id), Passes()
        )
        return found

    def response_headers_policy(self, behavior: Behavior) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self._things.get(
            ("response_headers_policy", behavior.response_headers_policy_id), {}
        )
        return found

    def bucket_policy(self, bucket: str) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self._things.get(("bucket_policy", bucket), {})
        return found

    def function_url(self, host: str) -> FunctionUrl | None:
        urls = (value for (kind, _), value in self._things.items() if kind == "function_url")
        return next((url for url in urls if url.host == host), None)
