"""What an account has of one world, asked of each service's own list and never of our records."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from sites.provisioning.resources.base import listed
from tests.sites.provisioning.conftest import World

Found = Iterator[tuple[str, ...]]
Mine = Callable[[str], bool]


def inventory(world: World) -> Counter[str]:
    """How many there are of each thing; names are those of any world, so that two compare."""
    site = world.site.prefix[-12:]
    account = site[::-1]

    def is_mine(name: str) -> bool:
        return site in name or account in name

    return Counter(
        " ".join(thing).replace(site, "SITE").replace(account, "ACCOUNT")
        for listing in (_s3, _cloudfront, _names, _iam, _lambda, _others)
        for thing in listing(world.clients, is_mine)
    )


def _every(client: Any, operation: str, key: str, **arguments: Any) -> Iterator[Any]:
    for page in client.get_paginator(operation).paginate(**arguments):
        yield from page[key]


def _s3(clients: Any, is_mine: Mine) -> Found:
    for bucket in filter(is_mine, (item["Name"] for item in clients.s3.list_buckets()["Buckets"])):
        yield "bucket", bucket
        for item in clients.s3.list_object_versions(Bucket=bucket).get("Versions", []):
            yield "object", bucket, item["Key"]


def _cloudfront(clients: Any, is_mine: Mine) -> Found:
    cloudfront = clients.cloudfront
    found = [
        *(
            ("distribution", item["Comment"], *item["Aliases"].get("Items", []))
            for item in listed(cloudfront.list_distributions, "DistributionList")
        ),
        *(
            ("Function", item["Name"], item["FunctionMetadata"]["Stage"])
            for item in listed(cloudfront.list_functions, "FunctionList")
        ),
        *(
            (kind, item["Name"])
            for kind, call in (
                ("KeyValueStore", cloudfront.list_key_value_stores),
                ("OriginAccessControl", cloudfront.list_origin_access_controls),
            )
            for item in listed(call, f"{kind}List")
        ),
        *(
            (kind, item[kind][f"{kind}Config"]["Name"])
            for kind, call in (
                ("ResponseHeadersPolicy", cloudfront.list_response_headers_policies),
                ("OriginRequestPolicy", cloudfront.list_origin_request_policies),
            )
            for item in listed(call, f"{kind}List", Type="custom")
        ),
    ]
    yield from (thing for thing in found if is_mine(thing[1]))


def _names(clients: Any, is_mine: Mine) -> Found:
    # Without it, ACM lists RSA alone.
    key_types = {"keyTypes": ["RSA_2048", "EC_prime256v1"]}
    for item in _every(
        clients.acm, "list_certificates", "CertificateSummaryList", Includes=key_types
    ):
        if is_mine(item["DomainName"]):
            yield "certificate", item["DomainName"]
    route53 = clients.route53
    for zone in _every(route53, "list_hosted_zones", "HostedZones"):
        if is_mine(zone["Name"]):
            yield from (
                ("record", record["Name"], record["Type"])
                for record in _every(
                    route53,
                    "list_resource_record_sets",
                    "ResourceRecordSets",
                    HostedZoneId=zone["Id"],
                )
            )


def _iam(clients: Any, is_mine: Mine) -> Found:
    iam = clients.iam
    roles = _every(iam, "list_roles", "Roles", PathPrefix="/cloudadmin/")
    for name in filter(is_mine, (role["RoleName"] for role in roles)):
        yield "role", name, *_every(iam, "list_role_policies", "PolicyNames", RoleName=name)
    for policy in _every(iam, "list_policies", "Policies", Scope="Local"):
        if is_mine(policy["PolicyName"]):
            yield "policy", policy["PolicyName"], policy["DefaultVersionId"]


def _lambda(clients: Any, is_mine: Mine) -> Found:
    client = clients.lambda_
    functions = _every(client, "list_functions", "Functions")
    for name in filter(is_mine, (item["FunctionName"] for item in functions)):
        yield "lambda", name
        urls = client.list_function_url_configs(FunctionName=name)["FunctionUrlConfigs"]
        yield from (("url", name) for _ in urls)
        policy = json.loads(client.get_policy(FunctionName=name)["Policy"])
        yield from (("permission", name, statement["Sid"]) for statement in policy["Statement"])


def _others(clients: Any, is_mine: Mine) -> Found:
    found = [
        *(
            ("log group", item["logGroupName"], str(item.get("retentionInDays")))
            for item in _every(clients.logs, "describe_log_groups", "logGroups")
        ),
        *(
            ("database", item["DBInstanceIdentifier"])
            for item in _every(clients.rds, "describe_db_instances", "DBInstances")
        ),
        *(
            ("snapshot of", item["DBInstanceIdentifier"])
            for item in _every(clients.rds, "describe_db_snapshots", "DBSnapshots")
        ),
    ]
    yield from (thing for thing in found if is_mine(thing[1]))
