"""Who refers to what in CloudFront: references must lead somewhere, and what is used stays.

https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_CreateDistribution.html#API_CreateDistribution_Errors
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from localcloud.edge.config import Distribution, items
from localcloud.propagation import uses
from localcloud.reader import Reader
from localcloud.wire import Answer, xml_error


@dataclass(frozen=True)
class Reference:
    """``element`` of a distribution's config names a thing of ``kind``, in the reader's words.

    ``missing`` and ``status`` answer a reference to nothing, ``in_use`` its delete.
    """

    element: str
    kind: str
    missing: str
    status: int
    in_use: str


REFERENCES = (
    Reference("CachePolicyId", "cache_policy", "NoSuchCachePolicy", 404, "CachePolicyInUse"),
    Reference(
        "OriginRequestPolicyId",
        "origin_request_policy",
        "NoSuchOriginRequestPolicy",
        404,
        "OriginRequestPolicyInUse",
    ),
    Reference(
        "ResponseHeadersPolicyId",
        "response_headers_policy",
        "NoSuchResponseHeadersPolicy",
        404,
        "ResponseHeadersPolicyInUse",
    ),
    Reference(
        "OriginAccessControlId",
        "origin_access_control",
        "InvalidOriginAccessControl",
        400,
        "OriginAccessControlInUse",
    ),
    # Only what is published can be associated: the reader looks at the stage LIVE.
    Reference("FunctionARN", "function", "InvalidFunctionAssociation", 400, "FunctionInUse"),
)
IN_USE = {reference.kind: reference.in_use for reference in REFERENCES}


def refuse_dangling(config: Element, reader: Reader) -> Answer | None:
    """For a distribution's config that refers to nothing; blocking."""
    origins = texts(config, "Origin/{*}Id") | texts(config, "OriginGroup/{*}Id")
    if not texts(config, "TargetOriginId") <= origins:
        return xml_error(
            "NoSuchOrigin", "One or more of your origins or origin groups do not exist.", 404
        )
    for reference in REFERENCES:
        for key in sorted(texts(config, reference.element)):
            if reader.read(reference.kind, key.rpartition("/")[2]) is None:
                return xml_error(
                    reference.missing,
                    f"The {reference.element} {key} of the distribution does not lead to a "
                    f"{reference.kind.replace('_', ' ')} that is there and published.",
                    reference.status,
                )
    return None


def refuse_storeless(function: Element, reader: Reader) -> Answer | None:
    """For a function with a KeyValueStore that is not there; blocking. The code is assumed."""
    asked = texts(function, "KeyValueStoreARN")
    if not asked:
        return None
    stores = items(reader.cloudfront.list_key_value_stores()["KeyValueStoreList"])
    if asked.issubset(each["ARN"] for each in stores):
        return None
    return xml_error("InvalidArgument", "The key value store of the function does not exist.")


def refuse_used(kind: str, key: str, distributions: Mapping[str, Distribution]) -> Answer | None:
    """For the delete of a thing that a distribution refers to."""
    users = [each.id for each in distributions.values() if (kind, key) in _used(each)]
    if kind not in IN_USE or not users:
        return None
    return xml_error(
        IN_USE[kind],
        f"The {kind.replace('_', ' ')} {key} is attached to {', '.join(users)}.",
        409,
    )


def texts(root: Element, element: str) -> set[str]:
    return {each.text for each in root.findall(".//{*}" + element) if each.text}


def _used(distribution: Distribution) -> Iterable[tuple[str, str]]:
    for subject in uses(distribution):
        yield subject.kind, subject.key
    for origin in distribution.origins.values():
        yield "origin_access_control", origin.access_control
