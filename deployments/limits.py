"""What an account has of what AWS gives, or gives for nothing, and what fits into a site's index:
told before it is used up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from django.urls import reverse

from deployments.invalidations.ledger import FREE, ledgers, priced
from deployments.models import EdgeIndex
from sites.models import Account, Site

# Of what is free or allowed: from here on it is told.
NEARLY = 0.9
# What AWS gives an account before it is asked for more; whoever has more than that has asked.
# https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/cloudfront-limits.html
FUNCTIONS = 100
# One before the cache and one after it.
FUNCTIONS_OF_A_SITE = 2
# Values of 1 KB that fit into a KeyValueStore of 5 MB.
BUCKETS = 5_000


@dataclass(frozen=True)
class Limit:
    """``key`` says which one it is, and how far; ``url`` leads to where it is seen. It is an
    account's when there is no ``site``."""

    key: str
    account: Account
    says: str
    todo: str
    url: str
    site: Site | None = None

    @property
    def about(self) -> str:
        return str(self.site or self.account)


def nearly_reached(
    accounts: Iterable[Account], sites: Mapping[tuple[str, int], int]
) -> Iterator[Limit]:
    """``sites`` is how many there are by state and account. Accounts here may be one on AWS."""
    named = {row.aws_account_id: row for row in accounts}
    yield from _functions(named, accounts, sites)
    yield from _invalidations(named)
    yield from _indexes()


def _functions(
    named: Mapping[str, Account],
    accounts: Iterable[Account],
    sites: Mapping[tuple[str, int], int],
) -> Iterator[Limit]:
    ids = {row.pk: row.aws_account_id for row in accounts}
    used: Counter[str] = Counter()
    for (state, pk), count in sites.items():
        if state != Site.State.DRAFT and pk in ids:
            used[ids[pk]] += FUNCTIONS_OF_A_SITE * count
    for aws_account_id, count in used.items():
        if NEARLY * FUNCTIONS <= count <= FUNCTIONS:
            yield Limit(
                f"functions {aws_account_id}",
                named[aws_account_id],
                f"{count} of {FUNCTIONS} CloudFront functions, two for each site.",
                "Ask AWS for more before the next sites.",
                reverse("admin:sites_account_change", args=[named[aws_account_id].pk]),
            )


def _invalidations(named: Mapping[str, Account]) -> Iterator[Limit]:
    for aws_account_id, each in ledgers(named).items():
        if each.used >= NEARLY * FREE:
            is_over = each.used >= FREE
            yield Limit(
                f"invalidations {aws_account_id} {'over' if is_over else 'near'}",
                named[aws_account_id],
                f"{each.used:,} of {FREE:,} free invalidation paths this month; the next costs "
                f"{priced(each.next_price)}.",
                "Invalidate wildcards instead of single paths: each is one path.",
                reverse("admin:deployments_invalidation_sites"),
            )


def _indexes() -> Iterator[Limit]:
    full = EdgeIndex.objects.filter(buckets__gte=NEARLY * BUCKETS)
    for row in full.select_related("site__account").order_by("pk"):
        yield Limit(
            f"index {row.site_id}",
            row.site.account,
            "Its index at the edge is nearly full.",
            "Deploy fewer files, or fewer at once.",
            reverse("admin:sites_site_change", args=[row.site_id]),
            row.site,
        )
