"""What there is in an account, asked of each service's own list and never of our records."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from hashlib import sha256
from typing import Any

from sites.provisioning.resources.base import listed
from sites.provisioning.resources.security_group import rules

Found = Iterator[tuple[str, ...]]


def inventory(clients: Any, uid: str) -> Counter[str]:
    """How many there are of each thing, whoever made it.

    ``uid`` is the site's own; it and its account's are written SITE and ACCOUNT, so that two
    worlds compare.
    """
    return Counter(
        " ".join(thing).replace(uid, "SITE").replace(uid[::-1], "ACCOUNT")
        for listing in (_s3, _distributions, _cloudfront, _names, _iam, _lambda, _others)
        for thing in listing(clients)
    )


def _every(client: Any, operation: str, key: str, **arguments: Any) -> Iterator[Any]:
    for page in client.get_paginator(operation).paginate(**arguments):
        yield from page[key]


def _s3(clients: Any) -> Found:
    for item in clients.s3.list_buckets()["Buckets"]:
        bucket = item["Name"]
        yield "bucket", bucket
        for item in clients.s3.list_object_versions(Bucket=bucket).get("Versions", []):
            yield "object", bucket, item["Key"]


def _distributions(clients: Any) -> Found:
    for item in listed(clients.cloudfront.list_distributions, "DistributionList"):
        yield (
            *("distribution", item["Comment"], item["PriceClass"]),
            *("on" if item["Enabled"] else "off", f"{item['Origins']['Quantity']} origins"),
            *sorted(item["Aliases"].get("Items", [])),
        )


def _cloudfront(clients: Any) -> Found:
    cloudfront = clients.cloudfront
    for item in listed(cloudfront.list_functions, "FunctionList"):
        yield "Function", item["Name"], item["FunctionMetadata"]["Stage"], _code(cloudfront, item)
    for kind, call in (
        ("KeyValueStore", cloudfront.list_key_value_stores),
        ("OriginAccessControl", cloudfront.list_origin_access_controls),
    ):
        yield from ((kind, item["Name"]) for item in listed(call, f"{kind}List"))
    for kind, call in (
        ("ResponseHeadersPolicy", cloudfront.list_response_headers_policies),
        ("OriginRequestPolicy", cloudfront.list_origin_request_policies),
        ("CachePolicy", cloudfront.list_cache_policies),
    ):
        for item in listed(call, f"{kind}List", Type="custom"):
            yield kind, item[kind][f"{kind}Config"]["Name"]


def _code(cloudfront: Any, function: Any) -> str:
    stage = function["FunctionMetadata"]["Stage"]
    code = cloudfront.get_function(Name=function["Name"], Stage=stage)["FunctionCode"].read()
    return sha256(code).hexdigest()[:8]


def _names(clients: Any) -> Found:
    # Without it, ACM lists RSA alone.
    key_types = {"keyTypes": ["RSA_2048", "EC_prime256v1"]}
    certificates = _every(
        clients.acm, "list_certificates", "CertificateSummaryList", Includes=key_types
    )
    for item in certificates:
        arn = item["CertificateArn"]
        held = clients.acm.describe_certificate(CertificateArn=arn)["Certificate"]
        yield "certificate", held["Status"], *sorted(held["SubjectAlternativeNames"])
    route53 = clients.route53
    for zone in _every(route53, "list_hosted_zones", "HostedZones"):
        records = _every(
            route53, "list_resource_record_sets", "ResourceRecordSets", HostedZoneId=zone["Id"]
        )
        for record in records:
            # The name of a validation record is ACM's own choice.
            proves = record["Type"] == "CNAME" and record["Name"].startswith("_")
            name = record["Name"].partition(".")[2] if proves else record["Name"]
            yield "record", name, record["Type"]


def _iam(clients: Any) -> Found:
    iam = clients.iam
    for role in _every(iam, "list_roles", "Roles"):
        name = role["RoleName"]
        yield "role", name, *_every(iam, "list_role_policies", "PolicyNames", RoleName=name)
    for policy in _every(iam, "list_policies", "Policies", Scope="Local"):
        yield "policy", policy["PolicyName"], policy["DefaultVersionId"]


def _lambda(clients: Any) -> Found:
    client = clients.lambda_
    for item in _every(client, "list_functions", "Functions"):
        name = item["FunctionName"]
        yield "lambda", name, item["CodeSha256"]
        urls = client.list_function_url_configs(FunctionName=name)["FunctionUrlConfigs"]
        yield from (("url", name) for _ in urls)
        policy = json.loads(client.get_policy(FunctionName=name)["Policy"])
        yield from (("permission", name, statement["Sid"]) for statement in policy["Statement"])


def _others(clients: Any) -> Found:
    for item in _every(clients.logs, "describe_log_groups", "logGroups"):
        yield "log group", item["logGroupName"], str(item.get("retentionInDays"))
    for item in _every(clients.rds, "describe_db_instances", "DBInstances"):
        yield "database", item["DBInstanceIdentifier"], item["DBInstanceStatus"]
    for item in _every(clients.rds, "describe_db_subnet_groups", "DBSubnetGroups"):
        yield "subnet group", item["DBSubnetGroupName"], item["VpcId"]
    for item in _every(clients.ec2, "describe_security_groups", "SecurityGroups"):
        if item["GroupName"] != "default":  # AWS's own, in each VPC
            yield "security group", item["GroupName"], *rules(item)
    for item in _every(clients.rds, "describe_db_snapshots", "DBSnapshots"):
        yield "snapshot of", item["DBInstanceIdentifier"]
