"""What each thing costs while nobody visits, and what it costs by use, in one table.

US dollars in us-east-1, taxes and free tiers of new accounts aside. The sources are AWS's price
pages: https://aws.amazon.com/rds/postgresql/pricing/, /s3/pricing/, /cloudfront/pricing/,
/lambda/pricing/, /cloudwatch/pricing/, /route53/pricing/.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

HOURS_A_MONTH = 730


@dataclass(frozen=True)
class Cost:
    """``monthly``: fixed, in dollars. ``by_use``: what comes on top, in words."""

    monthly: Decimal = Decimal(0)
    by_use: str = ""

    def as_text(self) -> str:
        """As people say it: the fixed part, then what comes by use."""
        fixed = f"{dollars(self.monthly)} a month" if self.monthly else ""
        return ", ".join(part for part in (fixed, self.by_use) if part) or "nothing"


FREE = Cost()
# Not made here, and left behind.
HOSTED_ZONE = Cost(Decimal("0.50"), "$0.40 per million queries")
SNAPSHOT = Cost(by_use="$0.095 a GB of data and month, $1.90 at most for 20 GB")

COSTS = {
    "bucket": Cost(by_use="$0.023 a GB stored and month, $0.005 per 1,000 uploads"),
    "distribution": Cost(
        by_use="the account's first 1 TB and 10 million requests a month are free, then $0.085 a "
        "GB and $0.01 per 10,000 requests"
    ),
    "function": Cost(by_use="2 million calls a month are free, then $0.10 per million"),
    "key_value_store": Cost(
        by_use="2 million reads a month are free, then $0.03 per million; $0.001 a deployment"
    ),
    "lambda_function": Cost(
        by_use="1 million calls a month are free, then $0.20 per million and $0.0000133 a GB-second"
    ),
    "log_group": Cost(by_use="5 GB a month are free, then $0.50 a GB"),
    "db_instance": Cost(
        # db.t4g.micro at $0.016 an hour, 20 GB of gp3 at $0.115.
        monthly=Decimal("0.016") * HOURS_A_MONTH + 20 * Decimal("0.115"),
        by_use="backups as large as the database are free",
    ),
}


def cost_of(resource_type: str) -> Cost:
    """Of one resource; what is not in the table costs nothing."""
    return COSTS.get(resource_type, FREE)


def dollars(amount: Decimal) -> str:
    return f"${amount:,.2f}"
