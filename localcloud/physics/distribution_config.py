"""A distribution's config as CloudFront looks at it before it takes it.

https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_DistributionConfig.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from localcloud.edge.config import Distribution
from localcloud.wire import Answer, xml_error

# https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/cloudfront-limits.html#limits-web-distributions
ALIASES = 100
ROOT_OBJECT_LENGTH = 255

Known = Mapping[str, Distribution]


@dataclass(frozen=True)
class DistributionConfig:
    """``root`` is the body of a create or of an update; ``own_id`` is empty for a create."""

    root: Element

    @property
    def caller_reference(self) -> str:
        return self.root.findtext(".//{*}CallerReference", "")

    @property
    def certificate_arn(self) -> str:
        return self.root.findtext(".//{*}ViewerCertificate/{*}ACMCertificateArn", "")

    @property
    def aliases(self) -> set[str]:
        return {e.text.lower() for e in self.root.findall(".//{*}Aliases//{*}CNAME") if e.text}

    def refuse_reference(self, known: Known, own_id: str) -> Answer | None:
        """A reference makes one distribution, and stays with it."""
        if own_id:
            if own_id not in known or known[own_id].caller_reference == self.caller_reference:
                return None
            return xml_error("IllegalUpdate", "The caller reference cannot be changed.")
        for other in known.values():
            if other.caller_reference == self.caller_reference:
                return xml_error(
                    "DistributionAlreadyExists",
                    "The caller reference that you are using to create a distribution is "
                    f"associated with another distribution. Already exists: {other.id}",
                    409,
                )
        return None

    def refuse_shape(self) -> Answer | None:
        root_object = self.root.findtext(".//{*}DefaultRootObject", "")
        if root_object.startswith("/") or len(root_object) > ROOT_OBJECT_LENGTH:
            return xml_error(
                "InvalidDefaultRootObject",
                "The default root object file name is too big or contains an invalid character.",
            )
        if len(self.aliases) > ALIASES:
            return xml_error(
                "TooManyDistributionCNAMEs",
                f"Your request contains more CNAMEs than are allowed per distribution: {ALIASES}.",
            )
        return None

    def refuse_names(self, covered: frozenset[str] | None) -> Answer | None:
        """``covered``: the names of the certificate; None while it is not issued."""
        if not self.certificate_arn and not self.aliases:
            return None
        if not self.certificate_arn:
            return xml_error(
                "InvalidViewerCertificate",
                "To add an alternate domain name (CNAME) to a CloudFront distribution, you must "
                "attach a trusted certificate that validates your authorization to use the "
                "domain name.",
            )
        if covered is None or not all(covers(covered, alias) for alias in self.aliases):
            return xml_error(
                "InvalidViewerCertificate",
                "The specified SSL certificate doesn't exist, isn't in us-east-1 region, "
                "isn't valid, or doesn't include a valid certificate chain.",
            )
        return None

    def refuse_taken(self, known: Known, own_id: str) -> Answer | None:
        for other in known.values():
            if other.id != own_id and (taken := self.aliases.intersection(other.aliases)):
                return xml_error(
                    "CNAMEAlreadyExists",
                    "One or more of the CNAMEs you provided are already associated with a "
                    f"different resource: {', '.join(sorted(taken))}",
                    409,
                )
        return None


def covers(names: frozenset[str], host: str) -> bool:
    """A wildcard stands for one label."""
    return host in names or "*." + host.partition(".")[2] in names
