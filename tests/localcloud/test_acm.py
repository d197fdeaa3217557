"""Certificates: proven in the public DNS, allowed by CAA, given up after three days."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import dns.name
import dns.rdata
import pytest
from dns.rdatatype import RdataType
from hypothesis import example, given
from hypothesis import strategies as st

from localcloud.dns import caa
from localcloud.dns.world import PublicDns, World
from localcloud.dns.zone import Zone
from localcloud.durations import SECONDS
from localcloud.physics.acm import Acm, validation_record
from localcloud.physics.renewal import VALID
from localcloud.propagation import Propagation
from localcloud.reader import Reader
from localcloud.wire import Answer, Call, json_answer
from tests.localcloud.domain import Domain, delegate, rrset
from tests.localcloud.test_durations import HandClock, asked
from tests.localcloud.test_physics import request_certificate

# --- through boto3 --------------------------------------------------------------------------------


class Request:
    """A certificate for a domain, and the CNAMEs that prove it."""

    def __init__(self, domain: Domain, *names: str) -> None:
        self.domain = domain
        self.clients = domain.cloud.clients
        self.arn = request_certificate(self.clients, names[0], SubjectAlternativeNames=list(names))

    def described(self) -> dict[str, Any]:
        found = self.clients.acm.describe_certificate(CertificateArn=self.arn)
        return dict(found["Certificate"])

    @property
    def status(self) -> str:
        return str(self.described()["Status"])

    def records(self) -> list[tuple[str, str, str]]:
        options = self.described()["DomainValidationOptions"]
        records = {option["ResourceRecord"]["Name"]: option["ResourceRecord"] for option in options}
        return [(name, "CNAME", each["Value"]) for name, each in records.items()]

    def prove(self) -> None:
        for record in self.records():
            self.domain.put(*record)


@pytest.fixture
def domain(local_cloud) -> Domain:
    return Domain(local_cloud)


def test_records_in_a_zone_that_nobody_delegates_to_prove_nothing(domain):
    domain.create_zone()
    delegate(domain.cloud, domain.name, ["ns1.other.example"])
    request = Request(domain, domain.name, f"*.{domain.name}")
    request.prove()
    assert request.status == "PENDING_VALIDATION"
    delegate(domain.cloud, domain.name, domain.name_servers)
    assert request.status == "ISSUED"


def test_records_at_another_dns_do(domain):
    request = Request(domain, domain.name)
    assert request.status == "PENDING_VALIDATION"
    records = [
        {"name": name, "type": kind, "value": value} for name, kind, value in request.records()
    ]
    delegate(domain.cloud, domain.name, ["ns1.other.example"], records)
    assert request.status == "ISSUED"


def test_caa_that_does_not_name_amazon_fails_a_proven_certificate_for_good(domain):
    domain.create_zone()
    domain.put(domain.name, "CAA", '0 issue "letsencrypt.org"')
    request = Request(domain, f"www.{domain.name}")
    assert request.status == "PENDING_VALIDATION"
    request.prove()
    failed = request.described()
    assert (failed["Status"], failed["FailureReason"]) == ("FAILED", "CAA_ERROR")
    assert {o["ValidationStatus"] for o in failed["DomainValidationOptions"]} == {"SUCCESS"}
    listed = domain.cloud.clients.acm.list_certificates(CertificateStatuses=["FAILED"])
    assert request.arn in [each["CertificateArn"] for each in listed["CertificateSummaryList"]]

    domain.put(domain.name, "CAA", '0 issue "amazon.com"')
    assert request.status == "FAILED"
    again = Request(domain, f"www.{domain.name}", domain.name)
    again.prove()
    assert again.status == "ISSUED"


def test_issuewild_is_for_wildcards(domain):
    domain.create_zone()
    domain.put(domain.name, "CAA", '0 issue "amazonaws.com"', '0 issuewild ";"')
    plain, wildcard = Request(domain, domain.name), Request(domain, f"*.{domain.name}")
    plain.prove()
    assert plain.status == "ISSUED"
    assert wildcard.status == "FAILED"


# --- with a clock in hand -------------------------------------------------------------------------


class Certificate:
    """The rule alone, asked as the proxy asks it, in a world of one zone without records."""

    def __init__(self, folder: Path) -> None:
        self.clock = HandClock()
        origin = dns.name.from_text("a.example")
        self.records: list[Any] = [rrset("a.example", "NS", "ns1.a.example.")]
        public = Mock(spec=PublicDns)
        public.world.side_effect = lambda: World([Zone(origin, [origin], lambda: self.records)], {})
        propagation = Mock(spec=Propagation, distributions={})
        reader = Mock(spec=Reader)
        reader.client.return_value = self.client = Mock(spec=["describe_certificate"])
        self.rule = Acm(reader, public, propagation, self.clock, folder / "acm.json")
        self.created = time.time()
        self.ask("RequestCertificate", json_answer({"CertificateArn": "arn"}))

    def ask(self, action: str, answer: Answer) -> Answer:
        target = {"x-amz-target": f"CertificateManager.{action}"}
        return asked(
            self.rule, Call("POST", "/", "", target, b'{"DomainName": "a.example"}'), answer
        )

    @property
    def document(self) -> dict[str, Any]:
        return {
            "CertificateArn": "arn",
            "Type": "AMAZON_ISSUED",
            "CreatedAt": self.created,
            "SubjectAlternativeNames": ["a.example"],
            "DomainValidationOptions": [{"DomainName": "a.example"}],
        }

    def described(self) -> dict[str, Any]:
        answer = self.ask("DescribeCertificate", json_answer({"Certificate": self.document}))
        found: dict[str, Any] = json.loads(answer.body)["Certificate"]
        return found

    def listed(self) -> str:
        created = datetime.fromtimestamp(self.created, UTC)  # as boto3 reads it
        self.client.describe_certificate.return_value = {
            "Certificate": {**self.document, "CreatedAt": created}
        }
        summaries = {"CertificateSummaryList": [{"CertificateArn": "arn"}]}
        answer = self.ask("ListCertificates", json_answer(summaries))
        return str(json.loads(answer.body)["CertificateSummaryList"][0]["Status"])

    def prove(self) -> None:
        record = validation_record("a.example")
        self.records.append(rrset(record["Name"], "CNAME", record["Value"]))


@pytest.fixture
def certificate(tmp_path: Path) -> Certificate:
    return Certificate(tmp_path)


def test_a_validation_record_is_not_in_the_first_descriptions(certificate):
    certificate.clock.time += SECONDS["validation_record"] - 0.01
    early = certificate.described()
    assert early["Status"] == "PENDING_VALIDATION"
    assert "ResourceRecord" not in early["DomainValidationOptions"][0]
    certificate.clock.time += 0.01
    option = certificate.described()["DomainValidationOptions"][0]
    assert option["ResourceRecord"]["Type"] == "CNAME"


def test_a_certificate_is_issued_some_time_after_its_record_was_seen(certificate):
    certificate.prove()
    assert certificate.described()["Status"] == "PENDING_VALIDATION"
    certificate.clock.time += SECONDS["certificate"] - 0.01
    assert certificate.described()["Status"] == "PENDING_VALIDATION"
    certificate.clock.time += 0.01
    assert certificate.described()["Status"] == "ISSUED"


def test_it_is_given_up_after_three_days(certificate):
    certificate.created -= SECONDS["validation"] - 60
    assert certificate.described()["Status"] == certificate.listed() == "PENDING_VALIDATION"
    certificate.created -= 61
    given_up = certificate.described()
    assert given_up["Status"] == certificate.listed() == "VALIDATION_TIMED_OUT"
    assert given_up["DomainValidationOptions"][0]["ValidationStatus"] == "FAILED"
    certificate.prove()
    assert certificate.described()["Status"] == "VALIDATION_TIMED_OUT"


def test_without_time_it_waits_for_ever(certificate):
    certificate.clock.scale = 0
    certificate.created -= 2 * SECONDS["validation"]
    assert certificate.described()["Status"] == "PENDING_VALIDATION"
    certificate.prove()
    assert certificate.described()["Status"] == "ISSUED"


def test_a_certificate_in_use_is_renewed_when_its_records_are_there(certificate):
    certificate.clock.scale = 0
    certificate.prove()
    issued = certificate.described()
    assert issued["NotAfter"] - issued["NotBefore"] == VALID
    assert issued["RenewalEligibility"] == "INELIGIBLE"  # nothing uses it

    certificate.rule.propagation.distributions["E1"] = Mock(certificate_arn="arn", arn="E1")
    certificate.rule.lifetimes.age("arn", 12)
    (record,) = [each for each in certificate.records if each.rdtype == RdataType.CNAME]
    certificate.records.remove(record)
    stuck = certificate.described()
    assert stuck["RenewalSummary"]["RenewalStatus"] == "PENDING_VALIDATION"
    (option,) = stuck["RenewalSummary"]["DomainValidationOptions"]
    assert option["ValidationStatus"] == "PENDING_VALIDATION"

    certificate.records += [record, rrset("a.example", "CAA", '0 issue "letsencrypt.org"')]
    assert certificate.described()["RenewalSummary"]["RenewalStatusReason"] == "CAA_ERROR"
    certificate.records.pop()
    renewed = certificate.described()
    assert renewed["RenewalSummary"]["RenewalStatus"] == "SUCCESS"
    assert renewed["NotAfter"] > issued["NotAfter"] - 60
    assert renewed["IssuedAt"] < renewed["NotBefore"]

    certificate.rule.lifetimes.age("arn", -1)
    assert certificate.described()["Status"] == certificate.listed() == "EXPIRED"


# --- the law of CAA -------------------------------------------------------------------------------

ISSUERS = st.sampled_from(
    ["amazon.com", "AmazonTrust.com", "awstrust.com", "amazonaws.com; a=b", "", "ca.example"]
)
RECORD = st.builds(
    lambda flags, tag, value: f'{flags} {tag} "{value};"',
    st.sampled_from([0, 128]),
    st.sampled_from(["issue", "ISSUE", "issuewild", "iodef", "unknown"]),
    ISSUERS,
)
SETS = st.lists(RECORD, min_size=1, max_size=4)
LABEL = st.sampled_from(["a", "b", "www"])


def reads(texts: list[str]) -> list[Any]:
    return [dns.rdata.from_text("IN", "CAA", text) for text in texts]


def book(sets: dict[str, list[str]]) -> Callable[[Any], list[Any]]:
    return lambda name: reads(sets.get(name.to_text(omit_final_dot=True), []))


@given(st.lists(LABEL, min_size=1, max_size=4), st.data())
def test_the_nearest_set_decides_alone(labels, data):
    names = [".".join(labels[start:]) for start in range(len(labels))]
    sets = data.draw(st.dictionaries(st.sampled_from(names), SETS))
    wild = data.draw(st.sampled_from(["", "*."]))
    nearest = next((sets[name] for name in names if name in sets), None)
    expected = nearest is None or caa.set_allows(reads(nearest), is_wildcard=bool(wild))
    assert caa.allows(wild + names[0], book(sets)) == expected


@given(SETS, st.booleans())
@example(['0 iodef "mailto:a@example.com"'], False)
def test_a_set_of_records(texts, is_wildcard):
    """RFC 8659, 4.2 and 4.3, in words of its own."""
    told = [text.lower().split(maxsplit=2) for text in texts]
    unknown = any(flags == "128" and tag == "unknown" for flags, tag, _ in told)
    wild = [value for _, tag, value in told if tag == "issuewild"]
    plain = [value for _, tag, value in told if tag == "issue"]
    asked_of = wild if is_wildcard and wild else plain
    allowed = not unknown and (not asked_of or any("amazon" in v or "aws" in v for v in asked_of))
    assert caa.set_allows(reads(texts), is_wildcard=is_wildcard) == allowed
