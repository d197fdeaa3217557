"""``AWS::CertificateManager::Certificate``: in us-east-1, where CloudFront looks for it.

AWS cannot change the domains of a certificate, so another set of domains is another certificate,
under another name: the distribution changes over when the new one is issued, then the old one goes.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from sites.provisioning.resources.base import Resource, State, tag_list

if TYPE_CHECKING:
    from cloudadmin.aws import Clients

NAME_TAG = "cloudadmin:certificate"
GAVE_UP = frozenset({"FAILED", "VALIDATION_TIMED_OUT", "REVOKED", "EXPIRED"})
# https://docs.aws.amazon.com/acm/latest/userguide/troubleshooting-failed.html
REASONS = {
    "ADDITIONAL_VERIFICATION_REQUIRED": "AWS wants to verify more, ask AWS Support",
    "CAA_ERROR": "a CAA record of the domain does not let Amazon issue its certificates; add "
    '`CAA 0 issue "amazon.com"` at its DNS',
    "DOMAIN_NOT_ALLOWED": "the domain is on a list of unsafe ones, see VirusTotal",
    "DOMAIN_VALIDATION_DENIED": "AWS does not allow the domain, ask AWS Support",
    "EXPIRED": "it was not renewed in time",
    "VALIDATION_TIMED_OUT": "its validation records were not in the DNS for 72 hours",
}


@dataclass(frozen=True)
class Certificate(Resource):
    type = "certificate"
    not_found = frozenset({"ResourceNotFoundException"})
    in_use = frozenset({"ResourceInUseException"})
    usual_wait = 300
    name: str
    domains: tuple[str, ...]
    tags: dict[str, str]

    @property
    def label(self) -> str:
        return " ".join(self.domains)

    def desired(self) -> dict[str, Any]:
        return {}

    def _read(self, clients: Clients, known_id: str) -> State | None:
        arn = known_id or self._find(clients)
        if not arn:
            return None
        certificate = clients.acm.describe_certificate(CertificateArn=arn)["Certificate"]
        status = certificate["Status"]
        reason = certificate.get("FailureReason", status)
        return State(
            arn,
            attributes=_attributes(certificate),
            aws_status=status,
            ready=status == "ISSUED",
            waiting_for="ACM to find the validation records in the DNS, usually within minutes",
            failure=f"ACM gave the certificate up ({reason}): {REASONS.get(reason, 'see ACM')}"
            if status in GAVE_UP
            else "",
            expires_at=certificate.get("NotAfter"),
            renewal=_renewal(certificate),
        )

    def _find(self, clients: Clients) -> str:
        # ACM's own default lists RSA alone.
        # https://docs.aws.amazon.com/acm/latest/APIReference/API_Filters.html
        pages = clients.acm.get_paginator("list_certificates").paginate(
            Includes={"keyTypes": ["RSA_2048", "EC_prime256v1"]}
        )
        for page in pages:
            for item in page["CertificateSummaryList"]:
                if item["DomainName"] in self.domains:
                    arn = item["CertificateArn"]
                    tags = clients.acm.list_tags_for_certificate(CertificateArn=arn)["Tags"]
                    if {"Key": NAME_TAG, "Value": self.name} in tags:
                        return arn
        return ""

    def _create(self, clients: Clients) -> str:
        # The token makes the call safe to repeat for an hour; the tag finds it ever after.
        created = clients.acm.request_certificate(
            DomainName=self.domains[0],
            SubjectAlternativeNames=[*self.domains],
            ValidationMethod="DNS",
            KeyAlgorithm="EC_prime256v1",
            IdempotencyToken=sha256(f"{self.name} {self.generation}".encode()).hexdigest()[:32],
            Tags=tag_list({**self.tags, NAME_TAG: self.name}),
        )
        return created["CertificateArn"]

    def _update(self, clients: Clients, current: State) -> None:
        """Never asked for: a certificate has nothing to change."""

    def _delete(self, clients: Clients, current: State) -> None:
        clients.acm.delete_certificate(CertificateArn=current.physical_id)


def _renewal(certificate: Any) -> dict[str, Any]:
    """``status`` is ACM's own word, empty until it has tried; ``unproven`` are the domains that it
    could not prove anew. What nothing uses is not eligible.

    https://docs.aws.amazon.com/acm/latest/userguide/check-certificate-renewal-status.html
    """
    summary = certificate.get("RenewalSummary", {})
    return {
        "status": summary.get("RenewalStatus", ""),
        "reason": summary.get("RenewalStatusReason", ""),
        "is_eligible": certificate.get("RenewalEligibility") != "INELIGIBLE",
        "unproven": [
            option["DomainName"]
            for option in summary.get("DomainValidationOptions", [])
            if option.get("ValidationStatus") != "SUCCESS"
        ],
    }


def _attributes(certificate: Any) -> dict[str, Any]:
    """The records that prove each domain; ACM takes some seconds to name them."""
    attributes = {"arn": certificate["CertificateArn"]}
    for option in certificate.get("DomainValidationOptions", []):
        if record := option.get("ResourceRecord"):
            attributes[f"validation_name:{option['DomainName']}"] = record["Name"]
            attributes[f"validation_value:{option['DomainName']}"] = record["Value"]
    return attributes
