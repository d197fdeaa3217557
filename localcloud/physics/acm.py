"""ACM: a certificate is pending until each of its validation records is in the public DNS.

With honest time, the record is not in the first descriptions, and a certificate is issued some time
after its records were first seen, or given up when they were not. How long it is good: ``renewal``.

MiniStack issues at once and forgets idempotency tokens. What is kept here beside its state is one
small JSON file: the tokens, when each certificate was issued and renewed, and why others were not.
https://docs.aws.amazon.com/acm/latest/userguide/dns-validation.html
https://docs.aws.amazon.com/acm/latest/userguide/setup-caa.html
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from pathlib import Path
from typing import Any

import dns.name
from dns.rdatatype import RdataType

from localcloud.dns import caa
from localcloud.dns.world import PublicDns, World
from localcloud.durations import SECONDS, Clock
from localcloud.physics import Forward
from localcloud.physics.renewal import Lifetimes, renewal_summary
from localcloud.propagation import Propagation
from localcloud.reader import Reader
from localcloud.wire import Answer, Call, json_answer, json_error

TOKEN_SECONDS = 3600
PENDING = "PENDING_VALIDATION"
# What the names of a certificate have come to. A CAA record is looked at when they are proven.
# https://repost.aws/knowledge-center/acm-troubleshoot-caa-errors
OF_NAMES = {
    **dict.fromkeys(("ISSUED", "EXPIRED", "FAILED"), "SUCCESS"),
    "VALIDATION_TIMED_OUT": "FAILED",
}


class Acm:
    def __init__(
        self,
        reader: Reader,
        public: PublicDns,
        propagation: Propagation,
        clock: Clock,
        ledger: Path,
    ) -> None:
        self.acm = reader.client("acm")
        self.public = public
        self.propagation = propagation
        self.clock = clock
        self.ledger = ledger
        known = json.loads(ledger.read_text()) if ledger.exists() else {}
        self.lifetimes = Lifetimes(known.get("issued", {}), known.get("renewed", {}))
        self.failed: dict[str, str] = known.get("failed", {})
        self.tokens: dict[str, tuple[str, float]] = known.get("tokens", {})

    async def __call__(self, call: Call, forward: Forward) -> Answer:
        match call.action:
            case "RequestCertificate":
                return await self._request(call, forward)
            case "DescribeCertificate":
                return await self._describe(call, forward)
            case "ListCertificates":
                return await self._list(call, forward)
            case "DeleteCertificate":
                return await self._delete(call, forward)
        return await forward(call)

    async def certificate_names(self, arn: str) -> frozenset[str] | None:
        """The names of an issued certificate; None for a pending or unknown one."""
        certificate = await asyncio.to_thread(self._read, arn)
        if certificate is None or await self._status(certificate) != "ISSUED":
            return None
        return frozenset(name.lower() for name in certificate["SubjectAlternativeNames"])

    def _read(self, arn: str) -> dict[str, Any] | None:
        try:
            certificate = self.acm.describe_certificate(CertificateArn=arn)["Certificate"]
        except self.acm.exceptions.ClientError:
            return None
        # On the wire it is a number.
        return {**certificate, "CreatedAt": certificate["CreatedAt"].timestamp()}

    async def _request(self, call: Call, forward: Forward) -> Answer:
        asked = call.document
        names = sorted({asked.get("DomainName"), *asked.get("SubjectAlternativeNames", [])})
        token = json.dumps([asked.get("IdempotencyToken"), asked.get("DomainName"), names])
        arn, when = self.tokens.get(token, ("", 0.0))
        if arn and asked.get("IdempotencyToken") and time.time() - when < TOKEN_SECONDS:
            return json_answer({"CertificateArn": arn})
        answer = await forward(call)
        if answer.ok:
            arn = answer.document["CertificateArn"]
            self.clock.begin("validation_record", arn)
            if asked.get("IdempotencyToken"):
                self.tokens[token] = (arn, time.time())
                self.save()
        return answer

    async def _describe(self, call: Call, forward: Forward) -> Answer:
        answer = await forward(call)
        if not answer.ok:
            return answer
        certificate = answer.document["Certificate"]
        arn = certificate["CertificateArn"]
        certificate["Status"] = status = await self._status(certificate)
        if certificate["Type"] == "AMAZON_ISSUED":
            certificate["DomainValidationOptions"] = self._options(certificate)
        if arn in self.lifetimes.issued:
            certificate |= await self._renewal(certificate, status)
            certificate |= self.lifetimes.as_fields(arn)
        elif status != "ISSUED":
            for name in ("IssuedAt", "NotBefore", "NotAfter"):
                certificate.pop(name, None)
        if status == "FAILED":
            certificate["FailureReason"] = self.failed[arn]
        certificate["InUseBy"] = self._users(arn)
        return answer.with_body(json.dumps({"Certificate": certificate}).encode())

    async def _renewal(self, certificate: dict[str, Any], status: str) -> dict[str, Any]:
        """How far its renewal is, which may be done by this look."""
        arn = certificate["CertificateArn"]
        if status != "ISSUED" or not self._users(arn):
            return {"RenewalEligibility": "INELIGIBLE"}
        told: dict[str, Any] = {"RenewalEligibility": "ELIGIBLE"}
        if self.lifetimes.is_to_be_renewed(arn):
            told["RenewalSummary"] = await self._renewed(certificate)
        elif arn in self.lifetimes.renewed:
            told["RenewalSummary"] = renewal_summary(
                "SUCCESS", certificate["DomainValidationOptions"]
            )
        return told

    async def _renewed(self, certificate: dict[str, Any]) -> dict[str, Any]:
        arn, options = certificate["CertificateArn"], certificate["DomainValidationOptions"]
        names = [option["DomainName"] for option in options]
        world = await asyncio.to_thread(self.public.world)
        proven = {name: await asyncio.to_thread(_proven, world, [name]) for name in names}
        found = [
            option | {"ValidationStatus": "SUCCESS" if proven[option["DomainName"]] else PENDING}
            for option in options
        ]
        if not all(proven.values()):
            return renewal_summary(PENDING, found)
        if not await asyncio.to_thread(_allowed, world, names):
            return renewal_summary("FAILED", found, "CAA_ERROR")
        if not self.clock.has_begun("certificate", f"renewed {arn}"):
            self.clock.begin("certificate", f"renewed {arn}")
        if self.clock.under_way("certificate", f"renewed {arn}"):
            return renewal_summary("PENDING_AUTO_RENEWAL", found)
        self.clock.end("certificate", f"renewed {arn}")
        self.lifetimes.renewed[arn] = time.time()
        self.save()
        return renewal_summary("SUCCESS", found)

    def _options(self, certificate: dict[str, Any]) -> list[dict[str, Any]]:
        early = self.clock.under_way("validation_record", certificate["CertificateArn"])
        options = []
        for option in certificate["DomainValidationOptions"]:
            option |= {"ValidationStatus": OF_NAMES.get(certificate["Status"], PENDING)}
            option.pop("ResourceRecord", None)
            if not early:
                option["ResourceRecord"] = validation_record(option["DomainName"])
            options.append(option)
        return options

    async def _list(self, call: Call, forward: Forward) -> Answer:
        wanted = call.document.get("CertificateStatuses", [])
        everything = {k: v for k, v in call.document.items() if k != "CertificateStatuses"}
        answer = await forward(call.with_body(json.dumps(everything).encode()))
        if not answer.ok:
            return answer
        summaries = []
        for summary in answer.document["CertificateSummaryList"]:
            certificate = await asyncio.to_thread(self._read, summary["CertificateArn"])
            if certificate is None:
                continue
            summary["Status"] = await self._status(certificate)
            if not wanted or summary["Status"] in wanted:
                summaries.append(summary)
        return answer.with_body(json.dumps({"CertificateSummaryList": summaries}).encode())

    async def _delete(self, call: Call, forward: Forward) -> Answer:
        arn = call.document.get("CertificateArn", "")
        if self._users(arn):
            return json_error("ResourceInUseException", f"Certificate {arn} is in use.")
        answer = await forward(call)
        if answer.ok:
            self.lifetimes.forget(arn)
            self.failed.pop(arn, None)
            self.tokens = {k: v for k, v in self.tokens.items() if v[0] != arn}
            self.save()
        return answer

    def _users(self, arn: str) -> list[str]:
        known = self.propagation.distributions.values()
        return [distribution.arn for distribution in known if distribution.certificate_arn == arn]

    async def _status(self, certificate: dict[str, Any]) -> str:
        """Once issued or failed, it stays so until its end, whatever becomes of the records."""
        arn = certificate["CertificateArn"]
        if certificate["Type"] != "AMAZON_ISSUED":
            return "ISSUED"
        if arn in self.lifetimes.issued:
            return "EXPIRED" if self.lifetimes.is_over(arn) else "ISSUED"
        if arn in self.failed:
            return "FAILED"
        if 0 < SECONDS["validation"] * self.clock.scale < time.time() - certificate["CreatedAt"]:
            return "VALIDATION_TIMED_OUT"
        names = [option["DomainName"] for option in certificate["DomainValidationOptions"]]
        world = await asyncio.to_thread(self.public.world)
        if not await asyncio.to_thread(_proven, world, names):
            return PENDING
        if not self.clock.has_begun("certificate", arn):
            self.clock.begin("certificate", arn)
        if self.clock.under_way("certificate", arn):
            return PENDING
        if await asyncio.to_thread(_allowed, world, names):
            self.lifetimes.issued[arn] = time.time()
        else:
            self.failed[arn] = "CAA_ERROR"
        self.save()
        return "ISSUED" if arn in self.lifetimes.issued else "FAILED"

    def save(self) -> None:
        ours = {"issued": self.lifetimes.issued, "renewed": self.lifetimes.renewed}
        text = json.dumps({**ours, "failed": self.failed, "tokens": self.tokens})
        draft = self.ledger.with_suffix(".new")
        draft.write_text(text)
        draft.replace(self.ledger)


def _proven(world: World, names: list[str]) -> bool:
    return all(_is_visible(world, validation_record(name)) for name in names)


def _is_visible(world: World, record: dict[str, str]) -> bool:
    found = world.resolve(dns.name.from_text(record["Name"]), RdataType.CNAME)
    wanted = dns.name.from_text(record["Value"])
    return any(rdata.target == wanted for rdata in found.values(RdataType.CNAME))


def _allowed(world: World, names: list[str]) -> bool:
    return all(
        caa.allows(name, lambda asked: world.resolve(asked, RdataType.CAA).values(RdataType.CAA))
        for name in names
    )


def validation_record(domain_name: str) -> dict[str, str]:
    """The same for a name and its wildcard, and for every certificate, as on AWS."""
    base = domain_name.lower().removeprefix("*.")
    name, value = (
        hashlib.sha256(f"{word} {base}".encode()).hexdigest()[:32] for word in ("name", "value")
    )
    return {
        "Name": f"_{name}.{base}.",
        "Type": "CNAME",
        "Value": f"_{value}.acm-validations.aws.",
    }
