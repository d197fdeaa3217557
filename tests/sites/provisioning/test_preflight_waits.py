"""One wait for each cause."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cloudadmin.aws import Clients
from sites.provisioning.outcomes import Wait
from sites.provisioning.preflight import Look, explained
from sites.provisioning.preflight.dns import Answer, DnsSilent
from sites.provisioning.resources import AliasRecord, Certificate, Resource, ValidationRecord
from tests.sites.provisioning.test_preflight import SERVERS, FakeDns, ns

START = datetime(2026, 1, 1, tzinfo=UTC)
EDGE = "d1.cloudfront.net"


def stack(*domains: str) -> dict[str, Resource]:
    """What waits when nothing of the domains is there."""
    resources: dict[str, Resource] = {"certificate.1": Certificate("c", domains, {})}
    for domain in domains:
        resources[f"validation_record.{domain}"] = ValidationRecord(
            domain, f"_x.{domain}.", "_y.acm-validations.aws."
        )
    for domain in domains:
        resources[f"alias_record.A.{domain}"] = AliasRecord(domain, "A", EDGE)
        resources[f"alias_record.AAAA.{domain}"] = AliasRecord(domain, "AAAA", EDGE)
    return resources


def waits(*names: str, todo: str = "") -> list[Wait]:
    """Each began a minute after the one before, and is looked at in a minute less."""
    return [
        Wait(
            name,
            "AWS",
            START + timedelta(minutes=number),
            START + timedelta(hours=1, minutes=-number),
            "PENDING_VALIDATION" if name.startswith("certificate") else "",
            todo,
        )
        for number, name in enumerate(names)
    ]


def explain(
    clients: Clients, resources: Mapping[str, Resource], given: list[Wait], **dns: Any
) -> tuple[Wait, ...]:
    return explained(given, resources, Look(clients, FakeDns(dns["answers"])))


def test_a_missing_zone_is_one_wait_for_all_that_it_holds_up(clients: Clients):
    resources = stack("shop.org", "www.shop.org")
    given = waits("db_instance", *resources)
    database, wait = explain(clients, resources, given, answers=ns("shop.org", *SERVERS))
    assert database == given[0]
    assert wait.what == "domains shop.org and www.shop.org"
    assert wait.since == given[1].since
    assert wait.next_check == min(each.next_check for each in given)
    assert "ns1.parking.example" in wait.last_seen
    for record in (
        "CNAME _x.shop.org -> _y.acm-validations.aws",
        "CNAME _x.www.shop.org -> _y.acm-validations.aws",
        f"CNAME (or ALIAS) shop.org -> {EDGE}",
    ):
        assert wait.todo.count(record) == 1


def test_wrong_name_servers_are_why_a_certificate_waits(clients: Clients, zone: str):
    resources = stack(zone)
    (wait,) = explain(clients, resources, waits("certificate.1"), answers=ns(zone, *SERVERS))
    assert wait.what == f"domain {zone}"
    assert f"The registrar of {zone} shows ns1.parking.example" in wait.last_seen
    assert "Name these at the registrar" in wait.todo


def test_a_caa_record_is_why_a_certificate_waits(clients: Clients, zone: str):
    resources = stack(zone)
    servers = clients.route53.get_hosted_zone(Id=zone_id(clients, zone))["DelegationSet"]
    answers = ns(zone, *servers["NameServers"]) | {(zone, "CAA"): ['0 issue "letsencrypt.org"']}
    (wait,) = explain(clients, resources, waits("certificate.1"), answers=answers)
    assert wait.why == "Amazon may not issue their certificate."
    assert "letsencrypt.org" in wait.last_seen


def zone_id(clients: Clients, zone: str) -> str:
    return clients.route53.list_hosted_zones_by_name(DNSName=zone)["HostedZones"][0]["Id"]


def test_a_certificate_without_a_known_cause_says_what_the_dns_shows(clients: Clients, zone: str):
    www = f"www.{zone}"
    resources = stack(zone, www)
    servers = clients.route53.get_hosted_zone(Id=zone_id(clients, zone))["DelegationSet"]
    answers = ns(zone, *servers["NameServers"]) | {
        (f"_x.{zone}", "CNAME"): ["_y.acm-validations.aws."]
    }
    (wait,) = explain(clients, resources, waits("certificate.1"), answers=answers)
    assert wait.what == "certificate.1"
    assert wait.last_seen == (
        f"PENDING_VALIDATION; the DNS shows the validation records of {zone}; "
        f"the DNS does not show the validation records of {www} yet"
    )


@pytest.mark.parametrize("by", ["CNAME", "address"])
def test_what_a_dns_elsewhere_answers_rightly_is_not_waited_for(clients: Clients, by: str):
    resources = stack("shop.org")
    records = [name for name in resources if "record" in name]
    address = ["192.0.2.1"]
    answers = ns("shop.org", *SERVERS) | {
        ("_x.shop.org", "CNAME"): ["_y.acm-validations.aws."],
        ("shop.org", "A"): Answer(chain=(EDGE,)) if by == "CNAME" else address,
        (EDGE, "A"): address,
    }
    assert explain(clients, resources, waits(*records), answers=answers) == ()
    (wait,) = explain(clients, resources, waits(*resources), answers=answers)
    assert wait.what == "certificate.1"


def test_both_records_of_a_name_that_is_taken_are_one_wait(clients: Clients, zone: str):
    resources = stack(zone)
    names = [f"alias_record.{kind}.{zone}" for kind in ("A", "AAAA")]
    given = waits(*names, todo=f"Delete {zone} CNAME in Route 53 when the site may take over.")
    (wait,) = explain(clients, resources, given, answers={})
    assert wait.what == f"domain {zone}"
    assert wait.todo == given[0].todo
    assert wait.since == START


def test_a_silent_dns_leaves_the_waits_as_they_are(clients: Clients):
    resources = stack("shop.org")
    given = waits(*resources)
    answers = {("_x.shop.org", "CNAME"): DnsSilent()}
    assert explain(clients, resources, given, answers=answers) == tuple(given)
