"""What an AWS account's invalidations cost this month, and what the next one would.

Counted are the paths that were sent from here, of the sites that there still are. AWS counts by
account, over all its distributions, and a wildcard as one path:
https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/PayingForInvalidation.html
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.db.models import F, Func, IntegerField, Q, Sum
from django.utils import timezone

from deployments.models import Invalidation
from sites.models import Account

FREE = 1_000
PRICE = Decimal("0.005")
DAY = timedelta(days=1)
# What comes is foretold from as many days.
LOOKED_BACK = 7


@dataclass(frozen=True)
class Ledger:
    """Paths, and US dollars. ``recent``: the paths of the last seven days; ``days_left``: of this
    month in UTC."""

    used: int = 0
    recent: int = 0
    days_left: float = 0.0

    @property
    def free_left(self) -> int:
        return max(0, FREE - self.used)

    @property
    def cost(self) -> Decimal:
        return _cost(self.used)

    @property
    def next_price(self) -> Decimal:
        """Of one more path."""
        return self.price_of(1)

    @property
    def forecast(self) -> int:
        """Paths at the end of the month, if it goes on as in the last week."""
        return self.used + round(self.recent / LOOKED_BACK * self.days_left)

    @property
    def forecast_cost(self) -> Decimal:
        return _cost(self.forecast)

    @property
    def percent(self) -> float:
        """Of the free paths, for a bar."""
        return min(100.0, 100 * self.used / FREE)

    def price_of(self, paths: int) -> Decimal:
        return _cost(self.used + paths) - self.cost


def ledger(account: Account, now: datetime | None = None) -> Ledger:
    return ledgers([account.aws_account_id], now)[account.aws_account_id]


def ledgers(aws_account_ids: Iterable[str], now: datetime | None = None) -> dict[str, Ledger]:
    """By AWS account id, of which several accounts here may be one; in one query."""
    now = now or timezone.now()
    month = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    week = now - LOOKED_BACK * DAY
    days_left = (month + monthrange(now.year, now.month)[1] * DAY - now) / DAY
    ids = set(aws_account_ids)
    count = Func(F("paths"), function="jsonb_array_length", output_field=IntegerField())
    sent = Invalidation.objects.filter(
        site__account__aws_account_id__in=ids, submitted_at__gte=min(month, week)
    ).exclude(invalidation_id="")
    sums = (
        sent.order_by()
        .values_list("site__account__aws_account_id")
        .annotate(
            used=Sum(count, filter=Q(submitted_at__gte=month), default=0),
            recent=Sum(count, filter=Q(submitted_at__gte=week), default=0),
        )
    )
    found = {account: Ledger(used, recent, days_left) for account, used, recent in sums}
    return {account: found.get(account, Ledger(days_left=days_left)) for account in ids}


def priced(amount: Decimal) -> str:
    """To the half cent that one path costs."""
    return f"${amount:,.3f}".removesuffix("0") if amount else "nothing"


def _cost(paths: int) -> Decimal:
    return max(0, paths - FREE) * PRICE
