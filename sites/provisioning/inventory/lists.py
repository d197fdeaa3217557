"""What an account has of ours, by each service's own lists and never by what was written down.

Ours is what carries a name of ours; a certificate, which has no name, a tag. Records are ours when
they lead to a distribution of ours or prove one of our certificates. The calls are one a list and
page, one a hosted zone, and one or two a certificate that is not ``recorded``: they do not grow
with the sites.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any

from cloudadmin.aws import CLOUDFRONT_REGION
from sites.provisioning.records import Record
from sites.provisioning.resources import (
    AliasRecord,
    Bucket,
    CachePolicy,
    Certificate,
    DbInstance,
    DbSubnetGroup,
    Distribution,
    Function,
    KeyValueStore,
    LambdaFunction,
    LogGroup,
    OriginAccessControl,
    OriginRequestPolicy,
    PermissionBoundary,
    ResponseHeadersPolicy,
    Role,
    SecurityGroup,
    ValidationRecord,
)
from sites.provisioning.resources.base import Resource, listed
from sites.provisioning.resources.certificate import NAME_TAG
from sites.provisioning.resources.record_set import base_of, name_of
from sites.provisioning.resources.role import PATH

if TYPE_CHECKING:
    from cloudadmin.aws import Clients

GLOBAL = "global"
PREFIX = "cloudadmin-"
NAME = re.compile(rf"(?:/aws/lambda/)?{PREFIX}([0-9a-f]{{12}})(?:-.+)?")

# They belong to the thing that they are a part of, go with it, and are in no list of their own.
PARTS: Mapping[str, tuple[str, ...]] = {
    "bucket": ("artifact", "bucket_policy"),
    "lambda_function": ("counter_schema", "function_permission", "function_url"),
}


@dataclass(frozen=True)
class Found:
    """One thing. ``resource`` is the least of it that its own delete needs; ``owner`` the 12 hex
    digits of a site or an account.

    ``attributes`` are what others refer to. ``tags`` is None where the list does not tell them.
    """

    resource: Resource
    physical_id: str
    owner: str
    region: str = GLOBAL
    created: datetime | None = None
    attributes: dict[str, Any] = field(default_factory=dict)
    tags: dict[str, str] | None = None

    @property
    def type(self) -> str:
        return self.resource.type

    @property
    def name(self) -> str:
        return self.resource.label


def inventory(
    clients: Clients, recorded: Mapping[str, Record], *, only: str = ""
) -> tuple[Found, ...]:
    """Every thing of ours, whoever's installation made it; or those of ``only`` one uid.

    ``recorded`` are certificates by ARN, as they were written down. Raises ClientError.
    """
    listings = (_buckets, _edge, _policies, _iam, _functions, _databases, _networks, _distributions)
    everything = chain(
        *(listing(clients) for listing in listings), _certificates(clients, recorded)
    )
    found = [each for each in everything if only in ("", each.owner)]
    return (*found, *_records(clients, found))


def owner_of(name: str) -> str:
    """The uid that a name of ours is derived from; empty for every other name."""
    match = NAME.fullmatch(name)
    return match[1] if match else ""


def _buckets(clients: Clients) -> Iterator[Found]:
    for item in _every(clients.s3, "list_buckets", "Buckets", Prefix=PREFIX):
        name, region = item["Name"], item.get("BucketRegion", clients.region)
        if owner := owner_of(name):
            yield Found(Bucket(name, region, {}), name, owner, region, item["CreationDate"])


def _distributions(clients: Clients) -> Iterator[Found]:
    for item in listed(clients.cloudfront.list_distributions, "DistributionList"):
        name = item["Comment"]
        if owner := owner_of(name):
            yield Found(
                Distribution(name, "", "", "", "", item["PriceClass"], {}),
                item["Id"],
                owner,
                attributes={"arn": item["ARN"], "domain_name": item["DomainName"]},
            )


def _edge(clients: Clients) -> Iterator[Found]:
    cloudfront = clients.cloudfront
    # A function that was published is listed once for each stage.
    functions = {item["Name"]: item for item in listed(cloudfront.list_functions, "FunctionList")}
    for name, item in functions.items():
        if owner := owner_of(name):
            created = item["FunctionMetadata"].get("CreatedTime")
            yield Found(Function(name, "", ""), name, owner, created=created)
    for item in listed(cloudfront.list_key_value_stores, "KeyValueStoreList"):
        name = item["Name"]
        if owner := owner_of(name):
            attributes = {"arn": item["ARN"]}
            yield Found(KeyValueStore(name, {}), name, owner, attributes=attributes)
    for item in listed(cloudfront.list_origin_access_controls, "OriginAccessControlList"):
        name, kind = item["Name"], item["OriginAccessControlOriginType"]
        if owner := owner_of(name):
            yield Found(OriginAccessControl(name, kind), item["Id"], owner)


def _policies(clients: Clients) -> Iterator[Found]:
    kinds: Any = (
        ("ResponseHeadersPolicy", "list_response_headers_policies", ResponseHeadersPolicy),
        (
            "OriginRequestPolicy",
            "list_origin_request_policies",
            partial(OriginRequestPolicy, headers=()),
        ),
        ("CachePolicy", "list_cache_policies", partial(CachePolicy, query=(), seconds=0)),
    )
    for word, call, make in kinds:
        for item in listed(getattr(clients.cloudfront, call), f"{word}List", Type="custom"):
            name = item[word][f"{word}Config"]["Name"]
            if owner := owner_of(name):
                yield Found(make(name), item[word]["Id"], owner)


def _iam(clients: Clients) -> Iterator[Found]:
    for item in _every(clients.iam, "list_roles", "Roles", PathPrefix=PATH):
        name = item["RoleName"]
        if owner := owner_of(name):
            role = Role(name, "", "", "", {})
            yield Found(role, name, owner, created=item["CreateDate"])
    for item in _every(clients.iam, "list_policies", "Policies", Scope="Local"):
        name, arn = item["PolicyName"], item["Arn"]
        if owner := owner_of(name):
            boundary = PermissionBoundary(name, arn.split(":")[4], {})
            yield Found(boundary, arn, owner, created=item["CreateDate"])


def _functions(clients: Clients) -> Iterator[Found]:
    region = clients.region
    for item in _every(clients.lambda_, "list_functions", "Functions"):
        name = item["FunctionName"]
        if owner := owner_of(name):
            function = LambdaFunction(name, "", "", "", "", {}, {}, [], [])
            attributes = {"arn": item["FunctionArn"]}
            yield Found(function, name, owner, region, attributes=attributes)
    prefix = f"/aws/lambda/{PREFIX}"
    for item in _every(clients.logs, "describe_log_groups", "logGroups", logGroupNamePrefix=prefix):
        name, days = item["logGroupName"], item.get("retentionInDays", 0)
        if owner := owner_of(name):
            created = datetime.fromtimestamp(item["creationTime"] / 1000, UTC)
            attributes = {"arn": item["arn"].removesuffix(":*")}
            yield Found(LogGroup(name, days, {}), name, owner, region, created, attributes)


def _databases(clients: Clients) -> Iterator[Found]:
    for item in _every(clients.rds, "describe_db_instances", "DBInstances"):
        name = item["DBInstanceIdentifier"]
        if owner := owner_of(name):
            yield Found(
                DbInstance(name, item.get("DBName", ""), item["MasterUsername"], {}),
                name,
                owner,
                clients.region,
                item.get("InstanceCreateTime"),
                tags=tag_dict_of(item.get("TagList", [])),
            )


def _networks(clients: Clients) -> Iterator[Found]:
    region = clients.region
    for item in _every(clients.rds, "describe_db_subnet_groups", "DBSubnetGroups"):
        name = item["DBSubnetGroupName"]
        if owner := owner_of(name):
            attributes = {"arn": item["DBSubnetGroupArn"], "vpc_id": item["VpcId"]}
            yield Found(DbSubnetGroup(name, {}), name, owner, region, attributes=attributes)
    for item in _every(clients.ec2, "describe_security_groups", "SecurityGroups"):
        name, tags = item["GroupName"], tag_dict_of(item.get("Tags", []))
        if owner := owner_of(name):
            group = SecurityGroup(name, item["VpcId"], {})
            yield Found(group, item["GroupId"], owner, region, tags=tags)


def _certificates(clients: Clients, recorded: Mapping[str, Record]) -> Iterator[Found]:
    # Ours have this kind of key, and most of the others not.
    key_types = {"keyTypes": ["EC_prime256v1"]}
    for item in _every(
        clients.acm, "list_certificates", "CertificateSummaryList", Includes=key_types
    ):
        arn = item["CertificateArn"]
        if record := recorded.get(arn):
            certificate, attributes, tags = record.resource, record.attributes, None
            name = record.inputs["name"]
        else:
            tags = tag_dict_of(clients.acm.list_tags_for_certificate(CertificateArn=arn)["Tags"])
            name = tags.get(NAME_TAG, "")
            if not owner_of(name):
                continue
            described = clients.acm.describe_certificate(CertificateArn=arn)["Certificate"]
            domains = tuple(described["SubjectAlternativeNames"])
            certificate, attributes = Certificate(name, domains, {}), _proofs(described)
        created = item.get("CreatedAt")
        owner = owner_of(name)
        yield Found(certificate, arn, owner, CLOUDFRONT_REGION, created, attributes, tags)


def _proofs(certificate: Any) -> dict[str, Any]:
    attributes = {}
    for option in certificate.get("DomainValidationOptions", []):
        if record := option.get("ResourceRecord"):
            attributes[f"validation_name:{option['DomainName']}"] = record["Name"]
            attributes[f"validation_value:{option['DomainName']}"] = record["Value"]
    return attributes


def _records(clients: Clients, found: Iterable[Found]) -> Iterator[Found]:
    leads = {
        each.attributes["domain_name"]: each.owner for each in found if each.type == "distribution"
    }
    proofs = {
        record.label: (record, each.owner)
        for each in found
        if each.type == "certificate"
        for record in _validations(each.attributes)
    }
    if not leads and not proofs:
        return
    for zone in _every(clients.route53, "list_hosted_zones", "HostedZones"):
        if zone.get("Config", {}).get("PrivateZone"):
            continue
        zone_id = zone["Id"].removeprefix("/hostedzone/")
        for record in _every(
            clients.route53, "list_resource_record_sets", "ResourceRecordSets", HostedZoneId=zone_id
        ):
            for resource, owner in _ours(record, leads, proofs):
                physical_id = f"{zone_id}/{resource.label.replace(' ', '/')}"
                yield Found(resource, physical_id, owner)


def _validations(attributes: Mapping[str, Any]) -> Iterator[ValidationRecord]:
    for key, name in attributes.items():
        word, _, domain = key.partition(":")
        if word == "validation_name":
            yield ValidationRecord(base_of(domain), name, attributes[f"validation_value:{domain}"])


def _ours(
    record: Any, leads: Mapping[str, str], proofs: Mapping[str, tuple[ValidationRecord, str]]
) -> Iterator[tuple[Resource, str]]:
    if "SetIdentifier" in record:
        return  # one of several of that name: never made here
    name, kind = name_of(record), record["Type"]
    target = record.get("AliasTarget", {}).get("DNSName", "").rstrip(".")
    if kind in ("A", "AAAA") and target in leads:
        yield AliasRecord(name, kind, target), leads[target]
    if proof := proofs.get(f"{name} {kind}"):
        values = [item["Value"].rstrip(".") for item in record.get("ResourceRecords", [])]
        if values == [proof[0].value.rstrip(".")]:
            yield proof


def _every(client: Any, operation: str, key: str, **arguments: Any) -> Iterator[Any]:
    for page in client.get_paginator(operation).paginate(**arguments):
        yield from page.get(key, [])


def tag_dict_of(tags: Iterable[Any]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in tags}
