"""The emulators of AWS that provisioning is judged by, and where each is known to be unlike AWS.

Two, written by different people, so that one's kindness hides no bug. Every line of these tables is
asserted, so that an emulator that learns is noticed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sites.provisioning.resources import Resource


@dataclass(frozen=True)
class Judge:
    """An emulator, by the name of the fixture that gives its address.

    ``lacks`` are types that it cannot carry, each with a part of the error that says so.
    ``forgets`` are properties, by type, that it is given and does not keep.
    ``doubles`` are types that it makes a second time, where AWS refuses or answers with the first.
    """

    name: str
    lacks: Mapping[str, str] = field(default_factory=dict)
    forgets: Mapping[str, frozenset[str]] = field(default_factory=dict)
    doubles: frozenset[str] = frozenset()

    def __str__(self) -> str:
        return self.name

    def forgotten(self, resource: Resource) -> frozenset[str]:
        """The paths that differ though all is as desired."""
        return self.forgets.get(resource.type, frozenset())


MINISTACK = Judge(
    "ministack",
    doubles=frozenset({"certificate"}),  # its IdempotencyToken is ignored
)
MOTO = Judge(
    "moto",
    lacks={
        # It runs code in Docker alone; without, an invocation answers with what it was sent.
        "counter_schema": "'version'",
        "cache_policy": "(404) when calling the CreateCachePolicy operation",
        "function": "(404) when calling the PublishFunction operation",
        "origin_request_policy": "(404) when calling the CreateOriginRequestPolicy operation",
        "response_headers_policy": "(404) when calling the CreateResponseHeadersPolicy operation",
    },
    forgets={
        "distribution": frozenset(
            {
                "DefaultCacheBehavior.FunctionAssociations.Items",
                "DefaultCacheBehavior.FunctionAssociations.Quantity",
                "Origins.Items",  # of each, the OriginAccessControlId
            }
        )
    },
    doubles=frozenset({"function_permission", "function_url", "origin_access_control"}),
)
JUDGES = (MINISTACK, MOTO)
