"""A domain in the public DNS of a local cloud, and how it is asked for."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

import dns.message
import dns.name
import dns.rrset
import httpx
from dns.name import Name
from dns.rcode import Rcode
from dns.rdatatype import RdataType

from tests.localcloud import http
from tests.localcloud.conftest import LocalCloud


def ask(cloud: LocalCloud, name: str, kind: str) -> dns.message.Message:
    """What the product does: dnspython for the message, httpx for the way (RFC 8484)."""
    query = dns.message.make_query(name, kind)
    answered = http.post(
        f"{cloud.aws_endpoint}/_localcloud/dns-query",
        content=query.to_wire(),
        headers={"Content-Type": "application/dns-message"},
    ).raise_for_status()
    answer = dns.message.from_wire(answered.content)
    assert query.is_response(answer)
    return answer


def values(cloud: LocalCloud, name: str, kind: str) -> set[str]:
    """Of that type, wherever a chain has led; empty when the name has none."""
    answer = ask(cloud, name, kind)
    assert answer.rcode() == Rcode.NOERROR
    wanted = RdataType.make(kind)
    return {rdata.to_text() for each in answer.answer if each.rdtype == wanted for rdata in each}


def delegate(
    cloud: LocalCloud, domain: str, servers: Sequence[str], records: Sequence[dict] = ()
) -> httpx.Response:
    document: dict[str, Any] = {"domain": domain, "name_servers": list(servers)}
    if records:
        document["records"] = list(records)
    return http.post(f"{cloud.aws_endpoint}/_localcloud/registrar", json=document)


class Domain:
    """A domain of our own, with a hosted zone when it is asked for."""

    def __init__(self, cloud: LocalCloud) -> None:
        self.cloud = cloud
        self.route53 = cloud.clients.route53
        self.name = f"{uuid.uuid4().hex[:12]}.example"
        self.zone_id = ""
        self.name_servers: list[str] = []

    def create_zone(self, name: str = "") -> Domain:
        made = self.route53.create_hosted_zone(
            Name=name or self.name, CallerReference=str(uuid.uuid4())
        )
        self.zone_id = made["HostedZone"]["Id"]
        self.name_servers = made["DelegationSet"]["NameServers"]
        return self

    def put(self, name: str, kind: Any, *values: str) -> None:
        self.change(
            {
                "Name": name,
                "Type": kind,
                "TTL": 60,
                "ResourceRecords": [{"Value": value} for value in values],
            }
        )

    def alias(self, name: str, kind: str, target: str) -> None:
        target_block = {
            "HostedZoneId": "Z2FDTNDATAQYW2",
            "DNSName": target,
            "EvaluateTargetHealth": False,
        }
        self.change({"Name": name, "Type": kind, "AliasTarget": target_block})

    def change(self, record_set: Any, action: Any = "UPSERT") -> None:
        self.route53.change_resource_record_sets(
            HostedZoneId=self.zone_id,
            ChangeBatch={"Changes": [{"Action": action, "ResourceRecordSet": record_set}]},
        )


def rrset(name: str | Name, kind: str, *texts: str) -> dns.rrset.RRset:
    owner = dns.name.from_text(name) if isinstance(name, str) else name
    return dns.rrset.from_text(owner, 60, "IN", kind, *texts)
