"""The cheap look: what AWS's own lists tell about many sites at once.

One list per service, whatever the number of sites, but for pages: distributions (100 a page),
buckets (10,000), Lambda functions (50), router functions (100), KeyValueStores (100), roles (100),
policies (100), certificates (100), origin access controls (100), the three kinds of CloudFront
policies (100), databases (100), their subnet groups (100), security groups (1,000) and log groups
(50): 16 calls for an account of up to 50 sites, about 34 for 300. A site with one domain read deep
takes 26.

A list says less than a read: not a bucket's settings and policy, a role's policies and boundary, a
function's URL and permissions, nor the records of a zone. Those wait for the deep look.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from cloudadmin.aws import BotoCoreError, ClientError
from sites.provisioning.documents import ordered, project
from sites.provisioning.errors import ResourceFailed
from sites.provisioning.records import Record
from sites.provisioning.resources.base import listed
from sites.provisioning.resources.db_instance import security_groups_of
from sites.provisioning.resources.security_group import rules

if TYPE_CHECKING:
    from cloudadmin.aws import Clients

Key = TypeVar("Key")
# The physical id, and what the list tells by the names of the resource's properties and attributes.
Listing = Iterator[tuple[str, dict[str, Any]]]


def suspects(
    records: Mapping[Key, Record], clients: Clients
) -> tuple[set[Key], list[ResourceFailed]]:
    """Which of an account's resources the lists do not show as they were recorded, and the lists
    that AWS would not give. A suspect is to be read before anything is said about it."""
    found: set[Key] = set()
    failures: list[ResourceFailed] = []
    recorded = {key: record for key, record in records.items() if record.physical_id}
    for type_ in sorted({record.type for record in recorded.values()} & LISTINGS.keys()):
        of_type = {key: record for key, record in recorded.items() if record.type == type_}
        try:
            told = dict(LISTINGS[type_](clients))
        except (ClientError, BotoCoreError) as error:
            failures.append(ResourceFailed(type_, "list", error))
            if not failures[-1].permanent:
                break  # AWS is busy or out of reach: asking on would not help.
            continue
        found |= {key for key, record in of_type.items() if _differs(record, told)}
    return found, failures


def _differs(record: Record, told: Mapping[str, dict[str, Any]]) -> bool:
    if record.physical_id not in told:
        return True
    known = {**record.attributes, **record.properties}
    return any(
        ordered(known[name]) != ordered(project(known[name], value))
        for name, value in told[record.physical_id].items()
        if name in known
    )


def _pages(client: Any, operation: str, key: str, **arguments: Any) -> Iterator[Any]:
    for page in client.get_paginator(operation).paginate(**arguments):
        yield from page.get(key, [])


def _distributions(clients: Clients) -> Listing:
    for item in listed(clients.cloudfront.list_distributions, "DistributionList"):
        yield item["Id"], item


def _buckets(clients: Clients) -> Listing:
    for item in _pages(clients.s3, "list_buckets", "Buckets"):
        yield item["Name"], {}


def _lambda_functions(clients: Clients) -> Listing:
    for item in _pages(clients.lambda_, "list_functions", "Functions"):
        network = item.get("VpcConfig", {})
        yield (
            item["FunctionName"],
            {
                **item,
                "Environment": item.get("Environment", {}).get("Variables", {}),
                "SubnetIds": network.get("SubnetIds", []),
                "SecurityGroupIds": network.get("SecurityGroupIds", []),
            },
        )


def _functions(clients: Clients) -> Listing:
    for item in listed(clients.cloudfront.list_functions, "FunctionList", Stage="LIVE"):
        stores = item["FunctionConfig"].get("KeyValueStoreAssociations", {}).get("Items", [])
        arn = stores[0]["KeyValueStoreARN"] if stores else ""
        yield item["Name"], {"key_value_store_arn": arn}


def _key_value_stores(clients: Clients) -> Listing:
    for item in listed(clients.cloudfront.list_key_value_stores, "KeyValueStoreList"):
        yield item["Name"], {"arn": item["ARN"]}


def _roles(clients: Clients) -> Listing:
    for item in _pages(clients.iam, "list_roles", "Roles", PathPrefix="/cloudadmin/"):
        yield item["RoleName"], {"AssumeRolePolicyDocument": item["AssumeRolePolicyDocument"]}


def _permission_boundaries(clients: Clients) -> Listing:
    for item in _pages(clients.iam, "list_policies", "Policies", Scope="Local"):
        yield item["Arn"], {}


def _certificates(clients: Clients) -> Listing:
    # ACM's own default lists RSA alone.
    key_types: Any = {"keyTypes": ["RSA_2048", "EC_prime256v1"]}
    for item in _pages(
        clients.acm, "list_certificates", "CertificateSummaryList", Includes=key_types
    ):
        yield item["CertificateArn"], {}


def _origin_access_controls(clients: Clients) -> Listing:
    call = clients.cloudfront.list_origin_access_controls
    for item in listed(call, "OriginAccessControlList"):
        yield item["Id"], item


def _policies(kind: str, operation: str) -> Callable[[Clients], Listing]:
    def listing(clients: Clients) -> Listing:
        call = getattr(clients.cloudfront, operation)
        for item in listed(call, f"{kind}List", Type="custom"):
            yield item[kind]["Id"], item[kind][f"{kind}Config"]

    return listing


def _db_instances(clients: Clients) -> Listing:
    for item in _pages(clients.rds, "describe_db_instances", "DBInstances"):
        groups = {"VpcSecurityGroupIds": security_groups_of(item)}
        yield item["DBInstanceIdentifier"], {**item, **groups}


def _db_subnet_groups(clients: Clients) -> Listing:
    for item in _pages(clients.rds, "describe_db_subnet_groups", "DBSubnetGroups"):
        yield item["DBSubnetGroupName"], {"vpc_id": item["VpcId"]}


def _security_groups(clients: Clients) -> Listing:
    for item in _pages(clients.ec2, "describe_security_groups", "SecurityGroups"):
        yield item["GroupId"], {"IpPermissions": rules(item)}


def _log_groups(clients: Clients) -> Listing:
    prefix = "/aws/lambda/cloudadmin-"
    for item in _pages(clients.logs, "describe_log_groups", "logGroups", logGroupNamePrefix=prefix):
        yield item["logGroupName"], {"retentionInDays": item.get("retentionInDays", 0)}


LISTINGS: dict[str, Callable[[Clients], Iterable[tuple[str, dict[str, Any]]]]] = {
    "bucket": _buckets,
    "cache_policy": _policies("CachePolicy", "list_cache_policies"),
    "certificate": _certificates,
    "db_instance": _db_instances,
    "db_subnet_group": _db_subnet_groups,
    "distribution": _distributions,
    "function": _functions,
    "key_value_store": _key_value_stores,
    "lambda_function": _lambda_functions,
    "log_group": _log_groups,
    "origin_access_control": _origin_access_controls,
    "origin_request_policy": _policies("OriginRequestPolicy", "list_origin_request_policies"),
    "permission_boundary": _permission_boundaries,
    "response_headers_policy": _policies("ResponseHeadersPolicy", "list_response_headers_policies"),
    "role": _roles,
    "security_group": _security_groups,
}
