"""The whole of an account and of a site, each on one screen.

In a step, ``s[x]`` wants x to exist, ``s.ready(x)`` wants it ready, and ``s.when_ready(x)`` is
None until it is; see ``steps.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from hashlib import sha256
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from sites.provisioning.resources import (
    AliasRecord,
    Artifact,
    Bucket,
    BucketPolicy,
    CachePolicy,
    Certificate,
    CounterSchema,
    DbInstance,
    DbSubnetGroup,
    Distribution,
    Function,
    FunctionPermission,
    FunctionUrl,
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
from sites.provisioning.resources.base import State
from sites.provisioning.resources.function_permission import CALL_ACTION, URL_ACTION
from sites.provisioning.resources.record_set import base_of
from sites.provisioning.resources.response_headers_policy import PRESETS
from sites.provisioning.specs import AccountSpec, SiteSpec
from sites.provisioning.steps import Stack, States, Step

# Ten, AWS's default quota.
COUNTER_HEADERS = (
    "CloudFront-Is-Mobile-Viewer",
    "CloudFront-Viewer-Address",
    "CloudFront-Viewer-Country",
    "DNT",
    "Purpose",
    "Referer",
    "Sec-Fetch-Site",
    "Sec-GPC",
    "Sec-Purpose",
    "User-Agent",
)
# What the badge is told; the other numbers ask for nothing, and are kept for as long.
BADGE_QUERY, BADGE_SECONDS = ("label",), 10
# CloudFront adds it to what a function sees when a policy asks for it, and S3 does not mind it.
# https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/adding-cloudfront-headers.html
ROUTER_HEADERS = ("CloudFront-Viewer-Country",)
# One execution for each slot, and these: a hit takes some milliseconds, so five take hundreds a
# second. db.t4g.micro has about 80 connections for all sites.
SPARE_EXECUTIONS = 4


def account_stack(spec: AccountSpec, *, counter_package: Path | None) -> Stack:
    """What the sites of an account share; without a package, nothing of the counter."""
    name, tags = spec.name, spec.tags
    artifacts = f"{name}-artifacts-{spec.account_id}"
    steps = [
        Step("origin_access_control.s3", lambda s: OriginAccessControl(f"{name}-s3", "s3")),
        Step(
            "origin_request_policy.router",
            lambda s: OriginRequestPolicy(f"{name}-router", ROUTER_HEADERS, "none"),
        ),
        *(
            Step(policy_id(preset), partial(_headers, name, preset))
            for preset in PRESETS
            if preset in spec.headers
        ),
    ]
    if counter_package:
        digest = sha256(counter_package.read_bytes()).hexdigest()
        steps += [
            # First, since it takes minutes.
            *(_own_database(spec) if spec.has_database else []),
            Step(
                "origin_access_control.lambda",
                lambda s: OriginAccessControl(f"{name}-lambda", "lambda"),
            ),
            Step("origin_request_policy", lambda s: OriginRequestPolicy(name, COUNTER_HEADERS)),
            Step("cache_policy", lambda s: CachePolicy(name, BADGE_QUERY, BADGE_SECONDS)),
            Step(
                "permission_boundary",
                lambda s: PermissionBoundary(f"{name}-boundary", spec.account_id, tags),
            ),
            Step("artifact_bucket", lambda s: Bucket(artifacts, spec.region, tags)),
            Step(
                "artifact",
                lambda s: Artifact(
                    s.named("artifact_bucket", artifacts),
                    "functions/counter/",
                    digest,
                    counter_package,
                ),
            ),
        ]
    return Stack(tuple(steps), {})


def _own_database(spec: AccountSpec) -> list[Step]:
    name, tags = spec.name, spec.tags

    def security_group(s: States) -> SecurityGroup:
        return SecurityGroup(name, s["db_subnet_group"].attributes["vpc_id"], tags)

    def db_instance(s: States) -> DbInstance:
        return DbInstance(
            name,
            "cloudadmin_counter",
            "cloudadmin",
            tags,
            subnet_group_name=s.named("db_subnet_group", name),
            security_group_ids=[s["security_group"].physical_id, *spec.let_in],
        )

    return [
        Step("db_subnet_group", lambda s: DbSubnetGroup(name, tags)),
        Step("security_group", security_group),
        Step("db_instance", db_instance),
    ]


def site_stack(
    spec: SiteSpec, shared: Mapping[str, State], *, router_code: str, headers_code: str
) -> Stack:
    """One site. ``shared`` are the states of its account's stack, by logical id.

    Both codes are JavaScript, of the function before the cache and of the one after it.
    """
    name, tags = spec.prefix, spec.tags
    bucket_name, counter = f"{name}-{spec.account_id}", f"{name}-counter"
    has_function = spec.has_counter or spec.keeps_counts
    steps = [
        Step("bucket", lambda s: Bucket(bucket_name, spec.region, tags)),
        Step("key_value_store", lambda s: KeyValueStore(name, tags)),
        *([_certificate(spec)] if spec.domains else []),
        *(
            Step(f"validation_record.{_slug(d)}", partial(_validation, spec, d))
            for d in dict.fromkeys(map(base_of, spec.domains))
        ),
        Step("function", partial(_function, name, router_code)),
        Step("function.headers", partial(_function, f"{name}-headers", headers_code)),
        *(_counter(spec, counter) if has_function else []),
        Step("distribution", partial(_distribution, spec)),
        Step(
            "bucket_policy",
            lambda s: BucketPolicy(
                s.named("bucket", bucket_name), s["distribution"].attributes["arn"]
            ),
        ),
        *(_permissions(counter) if has_function else []),
        *(
            Step(f"alias_record.{record_type}.{_slug(d)}", partial(_alias, d, record_type))
            for d in spec.domains
            for record_type in ("A", "AAAA")
        ),
    ]
    return Stack(tuple(steps), shared)


def _function(name: str, code: str, s: States) -> Function:
    store_arn = s.ready("key_value_store").attributes["arn"]
    return Function(name, store_arn, sha256(code.encode()).hexdigest(), code)


def _distribution(spec: SiteSpec, s: States) -> Distribution:
    """Needs neither the certificate nor the counter to go live: both join when they are ready."""
    certificate = s.when_ready(certificate_id(spec)) if spec.domains else None
    counter = s.when_ready("function_url") if spec.has_counter else None
    keeping = (spec.domains and not certificate) or any(_is_led_to(d, s) for d in spec.leaving)
    return Distribution(
        name=spec.prefix,
        bucket_domain_name=s["bucket"].attributes["domain_name"],
        origin_access_control_id=s["origin_access_control.s3"].physical_id,
        response_headers_policy_id=""
        if spec.headers == "none"
        else s[policy_id(spec.headers)].physical_id,
        function_arn=s.ready("function").attributes["arn"],
        headers_function_arn=s.ready("function.headers").attributes["arn"],
        router_policy_id=s["origin_request_policy.router"].physical_id,
        price_class=spec.price_class,
        tags=spec.tags,
        aliases=None if keeping else spec.domains,
        certificate_arn=certificate.physical_id if certificate else "",
        **_counter_origin(s, counter) if counter else {},
    )


def _is_led_to(domain: str, s: States) -> bool:
    """Whether a record of ours leads visitors to a domain that leaves; a plan shows how it ends.

    The record goes first and the alias in a later pass, in AWS's order: the other way round, who
    follows the record meets a 403. What is left of that is a resolver's memory of the record, for
    60 seconds.
    https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/alternate-domain-names-remove-domain.html
    """
    return s.when_ready(f"alias_record.A.{_slug(domain)}") is None


def _counter_origin(s: States, function_url: State) -> dict[str, Any]:
    return {
        "function_url_domain_name": function_url.attributes["domain_name"],
        "lambda_origin_access_control_id": s["origin_access_control.lambda"].physical_id,
        "origin_request_policy_id": s["origin_request_policy"].physical_id,
        "badge_policy_id": s["cache_policy"].physical_id,
    }


def policy_id(preset: str) -> str:
    """The first preset is the one that was there before there were others."""
    return "response_headers_policy" + ("" if preset == "standard" else f".{preset}")


def _headers(name: str, preset: str, s: States) -> ResponseHeadersPolicy:
    return ResponseHeadersPolicy(name, preset)


def certificate_id(spec: SiteSpec) -> str:
    """Other domains are another certificate; see its module."""
    return f"certificate.{sha256(' '.join(sorted(spec.domains)).encode()).hexdigest()[:8]}"


def _slug(domain: str) -> str:
    """The domain, or a name of 40 characters for it: domains go up to 253."""
    if len(domain) <= 40:
        return domain
    return f"{domain[:31]}-{sha256(domain.encode()).hexdigest()[:8]}"


def _certificate(spec: SiteSpec) -> Step:
    name = f"{spec.prefix}-{certificate_id(spec).partition('.')[2]}"
    return Step(certificate_id(spec), lambda s: Certificate(name, spec.domains, spec.tags))


def _validation(spec: SiteSpec, base: str, s: States) -> ValidationRecord:
    told = s[certificate_id(spec)].attributes
    domain = base if base in spec.domains else f"*.{base}"
    return ValidationRecord(
        base, told[f"validation_name:{domain}"], told[f"validation_value:{domain}"]
    )


def _alias(domain: str, record_type: Any, s: States) -> AliasRecord:
    return AliasRecord(domain, record_type, s["distribution"].attributes["domain_name"])


def _counter(spec: SiteSpec, name: str) -> list[Step]:
    return [
        Step("log_group", lambda s: LogGroup(f"/aws/lambda/{name}", 14, spec.tags)),
        Step("role", partial(_role, spec, name)),
        Step("lambda_function", partial(_lambda_function, spec, name)),
        Step("counter_schema", partial(_counter_schema, name)),
        Step("function_url", lambda s: FunctionUrl(s.named("lambda_function", name))),
    ]


def _permissions(function_name: str) -> list[Step]:
    return [
        Step("function_permission.url", partial(_permission, function_name, URL_ACTION)),
        Step("function_permission.call", partial(_permission, function_name, CALL_ACTION)),
    ]


def _permission(function_name: str, action: str, s: States) -> FunctionPermission:
    return FunctionPermission(
        s.named("lambda_function", function_name), action, s["distribution"].attributes["arn"]
    )


def _counter_schema(function_name: str, s: States) -> CounterSchema:
    s.ready("lambda_function")
    return CounterSchema(function_name)


def _database(spec: SiteSpec, s: States) -> Mapping[str, Any]:
    """Where it counts, in the words of ``DbInstance``."""
    return spec.database.attributes if spec.database else s.ready("db_instance").attributes


def _role(spec: SiteSpec, name: str, s: States) -> Role:
    database = _database(spec, s)
    user = f"{database['resource_id']}/{database['user']}"
    return Role(
        name,
        s["permission_boundary"].attributes["arn"],
        s["log_group"].attributes["arn"],
        f"arn:aws:rds-db:{spec.region}:{spec.account_id}:dbuser:{user}",
        spec.tags,
    )


def _lambda_function(spec: SiteSpec, name: str, s: States) -> LambdaFunction:
    database = _database(spec, s)
    artifact = s["artifact"].attributes
    host = database["endpoint_address"]
    is_local = is_loopback(host)
    return LambdaFunction(
        name=name,
        role_arn=s["role"].attributes["arn"],
        bucket_name=artifact["bucket_name"],
        key=artifact["key"],
        code_sha256=artifact["code_sha256"],
        environment={
            "SITE_UID": spec.uid,
            "DATABASE_HOST": host,
            "DATABASE_PORT": str(database["endpoint_port"]),
            "DATABASE_NAME": database["database_name"],
            "DATABASE_USER": database["user"],
            "DATABASE_AUTH": "iam",
            "DATABASE_TLS": "disable" if is_local else "require",
            "SLOTS": str(spec.counter_slots),
        },
        tags=spec.tags,
        # A hit gives up by itself after seconds; moving the tables on, and an export, take longer.
        timeout=15,
        # Beside the database: the same subnets, and a security group that lets in its own.
        subnet_ids=[] if is_local else database["subnet_ids"],
        security_group_ids=[] if is_local else _security_groups(spec, s),
        # Each has one connection: the second fence before the database, behind the token bucket.
        reserved_concurrency=SPARE_EXECUTIONS + spec.counter_slots,
    )


def _security_groups(spec: SiteSpec, s: States) -> list[str]:
    if spec.database:
        return [*spec.database.security_group_ids]
    return [s["security_group"].physical_id]


def is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
