"""CloudFront's control plane: certificates before aliases, one owner per alias, and time.

A change is ``InProgress`` until every point of presence has it and its time is over.
https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/CNAMEs.html#alternate-domain-names-requirements
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cached_property
from xml.etree.ElementTree import Element

from localcloud.durations import Clock
from localcloud.edge.pop import Pop
from localcloud.physics import Forward
from localcloud.physics.distribution_config import DistributionConfig
from localcloud.physics.invalidations import Batch, Invalidations
from localcloud.physics.references import refuse_dangling, refuse_storeless, refuse_used
from localcloud.propagation import Propagation, Subject
from localcloud.wire import Answer, Call, xml_error

RESOURCE = re.compile(r"/2020-05-31/([a-z-]+)(?:/([^/]+))?(?:/(.+))?")
BLOCK = re.compile(r"<(Distribution|Invalidation)(Summary|)(?: [^>]*)?>.*?</\1\2>", re.DOTALL)
STATUS = re.compile(r"<Status>(?:Deployed|Completed)</Status>")
IDENTIFIER = re.compile(r"<Id>([A-Z0-9]+)</Id>")
STORE_ARN = re.compile(r"<ARN>(arn:aws:cloudfront::\d+:key-value-store/[^<]+)</ARN>")

# The path's word for a thing, and the reader's.
KINDS = {
    "distribution": "distribution",
    "function": "function",
    "cache-policy": "cache_policy",
    "origin-request-policy": "origin_request_policy",
    "response-headers-policy": "response_headers_policy",
}
# https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/cloudfront-limits.html#limits-functions
FUNCTION_BYTES = 10 * 1024

# The names that a certificate covers, or None while it is not issued.
CertificateNames = Callable[[str], Awaitable[frozenset[str] | None]]


@dataclass(frozen=True)
class Target:
    """What a call is about: ``distribution/E1/invalidation/I1`` is resource, key and the rest."""

    resource: str
    key: str
    rest: str

    @classmethod
    def of(cls, call: Call) -> Target | None:
        found = RESOURCE.fullmatch(call.decoded_path)
        return found and cls(found[1], found[2] or "", (found[3] or "").rstrip("/"))

    @cached_property
    def kind(self) -> str:
        """The reader's word."""
        return KINDS.get(self.resource, self.resource.replace("-", "_"))


class CloudFront:
    def __init__(
        self, propagation: Propagation, clock: Clock, certificate_names: CertificateNames
    ) -> None:
        self.propagation = propagation
        self.clock = clock
        self.certificate_names = certificate_names
        self.invalidations = Invalidations(lambda key: self._under_way("invalidation", key))

    async def __call__(self, call: Call, forward: Forward) -> Answer:
        target = Target.of(call)
        if target is None:
            return await forward(call)
        if call.method != "GET" and (refusal := await self._refuse(call, target)):
            return refusal
        answer = await forward(call)
        if answer.ok and call.method != "GET":
            await self._tell(call, answer, target)
        return self._as_it_is_now(answer)

    async def _refuse(self, call: Call, target: Target) -> Answer | None:
        match call.method, target.resource, target.rest:
            case "DELETE", "distribution", "":
                return self._refuse_unsettled(target.key)
            case "DELETE", _, "":
                return refuse_used(target.kind, target.key, self.propagation.distributions)
            case "POST", "distribution", "invalidation" if call.xml is not None:
                return self.invalidations.refuse(Batch.read(target.key, call.xml))
            case "POST" | "PUT", "distribution", "" | "config" if call.xml is not None:
                return await self._refuse_config(DistributionConfig(call.xml), target.key)
            case "POST" | "PUT", "function", "" if call.xml is not None:
                reader = self.propagation.reader
                return _refuse_large(call.xml) or await asyncio.to_thread(
                    refuse_storeless, call.xml, reader
                )
        return None

    def _refuse_unsettled(self, distribution_id: str) -> Answer | None:
        if not self._under_way("distribution", distribution_id):
            return None  # MiniStack looks whether it is enabled
        return xml_error(
            "DistributionNotDisabled",
            "The distribution you are trying to delete has not been disabled everywhere: wait "
            "until it is Deployed.",
            409,
        )

    async def _refuse_config(self, config: DistributionConfig, own_id: str) -> Answer | None:
        known = self.propagation.distributions
        arn = config.certificate_arn
        names = await self.certificate_names(arn) if arn else None
        return (
            config.refuse_reference(known, own_id)
            or config.refuse_shape()
            or config.refuse_names(names)
            or config.refuse_taken(known, own_id)
            or await asyncio.to_thread(refuse_dangling, config.root, self.propagation.reader)
        )

    async def _tell(self, call: Call, answer: Answer, target: Target) -> None:
        if target.resource == "distribution" and target.rest == "invalidation":
            self._invalidate(call, answer, target.key)
        elif target.resource == "key-value-store":
            if stored := STORE_ARN.search(answer.text):
                await self.propagation.refresh("store", stored[1])
        elif target.resource == "tagging":
            key = call.query["Resource"].rpartition("/")[2]
            await self.propagation.refresh("distribution", key)
        elif target.resource in KINDS and (key := target.key or _identifier(answer.text)):
            if target.resource == "distribution":
                self.clock.begin("distribution", key)
            await self.propagation.refresh(target.kind, key)

    def _invalidate(self, call: Call, answer: Answer, distribution_id: str) -> None:
        assert call.xml is not None  # noqa: S101  MiniStack has read it
        batch, key = Batch.read(distribution_id, call.xml), _identifier(answer.text)

        def change(pop: Pop) -> None:
            pop.cache.invalidate(distribution_id, batch.paths)

        self.propagation.publish(change, Subject("invalidation", key))
        self.clock.begin("invalidation", key)
        self.invalidations.add(key, batch)

    def _under_way(self, kind: str, key: str) -> bool:
        return self.propagation.pending(kind, key) or self.clock.under_way(kind, key)

    def _as_it_is_now(self, answer: Answer) -> Answer:
        if not answer.ok or not BLOCK.search(answer.body.decode(errors="replace")):
            return answer

        def block(found: re.Match[str]) -> str:
            if not self._under_way(found[1].lower(), _identifier(found[0])):
                return found[0]
            return STATUS.sub("<Status>InProgress</Status>", found[0], count=1)

        return answer.with_body(BLOCK.sub(block, answer.text).encode())


def _identifier(text: str) -> str:
    found = IDENTIFIER.search(text)
    return found[1] if found else ""


def _refuse_large(function: Element) -> Answer | None:
    encoded = function.findtext(".//{*}FunctionCode", "").rstrip("=")
    if len(encoded) * 3 // 4 <= FUNCTION_BYTES:
        return None
    return xml_error("FunctionSizeLimitExceeded", "The function is too large: 10 KB at most.", 413)
