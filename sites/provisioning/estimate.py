"""What a site costs in a month, from what exists and what is known of its use.

The prices are those of ``costs``, as numbers. Free amounts are the account's, and taken here as if
the site had them alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal

from sites.provisioning.costs import cost_of

GIGABYTE = 1_000_000_000
MILLION = 1_000_000
# A page with its images and scripts, of which a browser that comes again has a part.
REQUESTS_PER_VIEW = 12
BYTES_PER_VIEW = 1_000_000
# Each upload of a deployment is one request to S3, and its flip some to the KeyValueStore.
PER_UPLOAD = Decimal("0.005") / 1000
PER_DEPLOYMENT = Decimal("0.001")


@dataclass(frozen=True)
class Usage:
    """Of one month; ``stored`` in bytes, ``uploads`` in objects. None is what nobody counted."""

    pageviews: int | None = None
    stored: int = 0
    uploads: int = 0
    deployments: int = 0

    @property
    def views(self) -> int:
        return self.pageviews or 0

    @property
    def requests(self) -> int:
        return self.views * REQUESTS_PER_VIEW

    @property
    def bytes_out(self) -> int:
        return self.views * BYTES_PER_VIEW


@dataclass(frozen=True)
class Line:
    """One type of resource: dollars a month, and what they are reckoned from."""

    type: str
    amount: Decimal
    why: str
    is_shared: bool = False


def estimate(types: Iterable[str], shared: Iterable[str], usage: Usage, sites: int) -> list[Line]:
    """The dearest first. ``shared`` are types of the account, split between its ``sites``."""
    lines = [
        Line(type, cost_of(type).monthly + amount, why)
        for type in dict.fromkeys(types)
        for amount, why in [_by_use(type, usage)]
        if why or cost_of(type).monthly
    ]
    for type in dict.fromkeys(shared):
        if monthly := cost_of(type).monthly:
            share = monthly / max(1, sites)
            said = f"${monthly:,.2f} for the account, shared by {sites:,} site" + "s" * (sites != 1)
            lines.append(Line(type, share, said, is_shared=True))
    return sorted(lines, key=lambda line: -line.amount)


def total(lines: Iterable[Line]) -> Decimal:
    return sum((line.amount for line in lines), Decimal(0))


def assumptions(usage: Usage) -> Iterator[str]:
    if usage.pageviews is None:
        yield "Visits are not counted here, so nothing is reckoned for them. Try a number above."
    else:
        yield (
            f"A pageview is {REQUESTS_PER_VIEW} requests and {BYTES_PER_VIEW // 10**6} MB, "
            "which is more than most static sites need."
        )
    yield "AWS's monthly free amounts belong to the account; they are taken as this site's alone."
    yield "Prices are those of us-east-1 and of visitors in North America and Europe, without tax."
    yield "Your AWS bill decides. Cost Explorer tells sites apart by the tag cloudadmin:site."


def _by_use(type: str, usage: Usage) -> tuple[Decimal, str]:
    """Dollars and where they come from; ("0", "") for what use does not change."""
    match type:
        case "bucket":
            stored = Decimal(usage.stored) / GIGABYTE
            amount = stored * Decimal("0.023") + usage.uploads * PER_UPLOAD
            return amount, f"{_size(usage.stored)} stored, {_count(usage.uploads, 'upload')}"
        case "distribution":
            over = _above(usage.bytes_out, 1_000 * GIGABYTE) / GIGABYTE * Decimal("0.085")
            over += _above(usage.requests, 10 * MILLION) / 10_000 * Decimal("0.01")
            return over, f"{usage.requests:,} requests, {_size(usage.bytes_out)}; 1 TB is free"
        case "function":
            amount = _above(usage.requests, 2 * MILLION) / MILLION * Decimal("0.10")
            return amount, f"{usage.requests:,} calls; 2 million are free"
        case "key_value_store":
            amount = _above(usage.requests, 2 * MILLION) / MILLION * Decimal("0.03")
            amount += usage.deployments * PER_DEPLOYMENT
            return amount, f"{usage.requests:,} reads, {_count(usage.deployments, 'deployment')}"
        case "lambda_function":
            amount = _above(usage.views, MILLION) / MILLION * Decimal("0.20")
            return amount, f"{_count(usage.views, 'call')} of the counter; 1 million are free"
        case "log_group":
            return Decimal(0), "a few kilobytes; 5 GB are free"
    return Decimal(0), ""


def _above(used: int, free: int) -> Decimal:
    return Decimal(max(0, used - free))


def _count(number: int, thing: str) -> str:
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def _size(count: int) -> str:
    amount, units = Decimal(count), iter(("bytes", "kB", "MB", "GB", "TB"))
    unit = next(units)
    while amount >= 1000 and unit != "TB":
        amount, unit = amount / 1000, next(units)
    return f"{amount:.0f} {unit}" if unit == "bytes" else f"{amount:,.1f} {unit}"
