"""CloudFront's control plane: certificates before aliases, one owner per alias, and time.

A change is ``InProgress`` until every point of presence has it.
https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/CNAMEs.html#alternate-domain-names-requirements
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from xml.etree import ElementTree

from localcloud.edge.pop import Pop
from localcloud.physics import Forward
from localcloud.propagation import Propagation, Subject
from localcloud.wire import Answer, Call, xml_error

RESOURCE = re.compile(r"/2020-05-31/([a-z-]+)(?:/([^/]+))?(?:/(.+))?")
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

# The names that a certificate covers, or None while it is not issued.
CertificateNames = Callable[[str], Awaitable[frozenset[str] | None]]


class CloudFront:
    def __init__(self, propagation: Propagation, certificate_names: CertificateNames) -> None:
        self.propagation = propagation
        self.certificate_names = certificate_names

    async def __call__(self, call: Call, forward: Forward) -> Answer:
        found = RESOURCE.fullmatch(call.decoded_path)
        if found is None:
            return await forward(call)
        resource, key, rest = found[1], found[2] or "", found[3] or ""
        if resource == "distribution" and call.method in ("POST", "PUT") and "inval" not in rest:
            refusal = await self._refuse_aliases(call, key)
            if refusal:
                return refusal
        answer = await forward(call)
        if answer.ok and call.method != "GET":
            await self._tell(call, answer, resource, key, rest)
        return self._in_progress(answer, resource, key, rest)

    async def _refuse_aliases(self, call: Call, own_id: str) -> Answer | None:
        try:
            root = ElementTree.fromstring(call.body)  # noqa: S314  loopback only
        except ElementTree.ParseError:
            return None  # MiniStack says MalformedXML
        aliases = {e.text.lower() for e in root.findall(".//{*}Aliases//{*}CNAME") if e.text}
        certificate = root.findtext(".//{*}ViewerCertificate/{*}ACMCertificateArn") or ""
        reference = root.findtext(".//{*}CallerReference")
        if aliases and not certificate:
            return xml_error(
                "InvalidViewerCertificate",
                "To add an alternate domain name (CNAME) to a CloudFront distribution, you must "
                "attach a trusted certificate that validates your authorization to use the "
                "domain name.",
            )
        if certificate:
            names = await self.certificate_names(certificate)
            if names is None or not all(covers(names, alias) for alias in aliases):
                return xml_error(
                    "InvalidViewerCertificate",
                    "The specified SSL certificate doesn't exist, isn't in us-east-1 region, "
                    "isn't valid, or doesn't include a valid certificate chain.",
                )
        return self._refuse_taken(aliases, own_id, reference)

    def _refuse_taken(self, aliases: set[str], own_id: str, reference: str | None) -> Answer | None:
        for other in self.propagation.distributions.values():
            is_own = other.id == own_id or other.caller_reference == reference
            if taken := not is_own and aliases.intersection(other.aliases):
                return xml_error(
                    "CNAMEAlreadyExists",
                    "One or more of the CNAMEs you provided are already associated with a "
                    f"different resource: {', '.join(sorted(taken))}",
                    409,
                )
        return None

    async def _tell(self, call: Call, answer: Answer, resource: str, key: str, rest: str) -> None:
        if resource == "distribution" and rest == "invalidation":
            self._invalidate(call, answer, key)
        elif resource == "key-value-store":
            if stored := STORE_ARN.search(answer.text):
                await self.propagation.refresh("store", stored[1])
        elif resource == "tagging":
            await self.propagation.refresh(
                "distribution", call.query["Resource"].rpartition("/")[2]
            )
        elif resource in KINDS and (key or (key := _identifier(answer))):
            await self.propagation.refresh(KINDS[resource], key)

    def _invalidate(self, call: Call, answer: Answer, distribution_id: str) -> None:
        root = ElementTree.fromstring(call.body)  # noqa: S314  loopback only
        paths = [e.text for e in root.findall(".//{*}Paths//{*}Path") if e.text]

        def change(pop: Pop) -> None:
            pop.cache.invalidate(distribution_id, paths)

        self.propagation.publish(change, Subject("invalidation", _identifier(answer)))

    def _in_progress(self, answer: Answer, resource: str, key: str, rest: str) -> Answer:
        if not answer.ok or resource != "distribution" or rest == "config":
            return answer
        if rest.startswith("invalidation"):
            about = ("invalidation", rest.partition("/")[2] or _identifier(answer))
        else:
            about = ("distribution", key or _identifier(answer))
        if not about[1] or not self.propagation.pending(*about):
            return answer
        body = STATUS.sub("<Status>InProgress</Status>", answer.text, count=1)
        return answer.with_body(body.encode())


def _identifier(answer: Answer) -> str:
    found = IDENTIFIER.search(answer.text)
    return found[1] if found else ""


def covers(names: frozenset[str], host: str) -> bool:
    """A wildcard stands for one label."""
    return host in names or "*." + host.partition(".")[2] in names
