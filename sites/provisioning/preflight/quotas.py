"""Whether what would be created fits into the account's quotas."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from cloudadmin.aws import BotoCoreError, ClientError
from sites.provisioning.plan import Change, Create, Plan
from sites.provisioning.preflight.findings import Finding
from sites.provisioning.preflight.look import Look
from sites.provisioning.resources.base import listed
from sites.provisioning.resources.lambda_function import RESERVED, UNRESERVED
from sites.provisioning.stack import SPARE_EXECUTIONS

# A new account has ten; a function of ours answers in milliseconds.
# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
FEW_EXECUTIONS = 10
SLOTS = "Environment.SLOTS"


@dataclass(frozen=True)
class Quota:
    """So many of a thing per account. ``code`` is Service Quotas' own, empty where it has none.

    ``default`` is what AWS documents; an account may have less, from older days, or more.
    """

    things: str
    service: str
    code: str
    default: int
    used: Callable[[Look], int]


def _policies(look: Look) -> int:
    call = look.clients.cloudfront.list_response_headers_policies
    return sum(1 for _ in listed(call, "ResponseHeadersPolicyList", Type="custom"))


def _functions(look: Look) -> int:
    return sum(1 for _ in listed(look.clients.cloudfront.list_functions, "FunctionList"))


def _stores(look: Look) -> int:
    call = look.clients.cloudfront.list_key_value_stores
    return sum(1 for _ in listed(call, "KeyValueStoreList"))


def _buckets(look: Look) -> int:
    pages = look.clients.s3.get_paginator("list_buckets").paginate(
        PaginationConfig={"PageSize": 1000}
    )
    return sum(len(page["Buckets"]) for page in pages)


# https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/cloudfront-limits.html
# https://docs.aws.amazon.com/general/latest/gr/s3.html#limits_s3
QUOTAS = {
    "bucket": Quota("buckets", "s3", "L-DC2B2D3D", 10_000, _buckets),
    "distribution": Quota(
        "distributions", "cloudfront", "L-24B04930", 500, lambda look: len(look.distributions)
    ),
    "function": Quota("CloudFront functions", "cloudfront", "", 100, _functions),
    "key_value_store": Quota("KeyValueStores", "cloudfront", "", 200, _stores),
    "response_headers_policy": Quota(
        "response headers policies", "cloudfront", "L-CF0D4FC5", 20, _policies
    ),
}
# https://docs.aws.amazon.com/acm/latest/userguide/acm-limits.html
CERTIFICATE_NAMES = Quota("names of one certificate", "acm", "L-FB94F0B0", 10, lambda look: 0)


def quotas(look: Look, plan: Plan, domains: tuple[str, ...]) -> Iterator[Finding]:
    """Blocks where AWS itself named the quota; a documented default may have been raised."""
    added = Counter(change.type for change in plan.effective if isinstance(change, Create))
    for type_, quota in QUOTAS.items():
        if added[type_]:
            yield from _fits(look, quota, quota.used(look), added[type_])
    if added["certificate"]:
        yield from _fits(look, CERTIFICATE_NAMES, 0, len(domains))
    if added["lambda_function"]:
        yield from _concurrency(look)
    if any(_lacks_room(change) for change in plan.effective):
        yield _unreserved(
            "The counter's slots change, but not how many executions are reserved for it: Lambda "
            "has too few left in this account."
        )


def _fits(look: Look, quota: Quota, used: int, added: int) -> Iterator[Finding]:
    if used + added <= quota.default // 2:
        return  # No account has less than that, so there is nothing to ask.
    limit = _limit(look, quota)
    known = limit is not None
    if used + added > (quota.default if limit is None else limit):
        whose = f"this account may have {limit}" if known else f"AWS's default is {quota.default}"
        yield Finding(
            "quota",
            quota.things,
            f"{used + added} {quota.things} are needed, {used} of which are there; {whose}.",
            f"Ask for more in AWS's Service Quotas ({quota.service} {quota.code}".rstrip()
            + "), or remove what nobody needs.",
            blocks=known,
        )


def _limit(look: Look, quota: Quota) -> int | None:
    """What this account may have; None where it cannot be told."""
    if not quota.code:
        return None
    try:
        answer = look.clients.service_quotas.get_service_quota(
            ServiceCode=quota.service, QuotaCode=quota.code
        )
    except (ClientError, BotoCoreError):
        return None
    return int(answer["Quota"]["Value"])


def _concurrency(look: Look) -> Iterator[Finding]:
    """Never blocks: without a reservation, counters share what the account has."""
    settings = look.clients.lambda_.get_account_settings()["AccountLimit"]
    limit, free = settings["ConcurrentExecutions"], settings["UnreservedConcurrentExecutions"]
    if limit <= FEW_EXECUTIONS:
        said = f"Lambda runs {limit} functions at once in this account, as in every new one; the "
        said += "counters of all its sites share them, and none is reserved for one of them."
    elif free - UNRESERVED <= SPARE_EXECUTIONS:
        said = f"Lambda runs {limit} functions at once in this account and has reserved "
        said += f"{limit - free}; AWS keeps the other {free}, so none is reserved for this counter."
    else:
        return
    yield _unreserved(said)


def _lacks_room(change: Change) -> bool:
    """Other slots want another reservation; without room for it that is no difference."""
    return SLOTS in change.differences and RESERVED not in change.differences


def _unreserved(said: str) -> Finding:
    return Finding(
        "quota",
        "concurrent executions",
        said,
        "Ask for more in AWS's Service Quotas (lambda L-B99A9384) when there are many visitors "
        "at the same time; until then pages show their last number.",
    )
