"""No faster than an account's APIs allow, whatever the number of workers.

AWS counts requests per account and service, not per program: twenty sites that are made at once
would throttle each other, and whatever else runs in that account.
"""

from __future__ import annotations

import logging
import time
from functools import cached_property
from typing import TYPE_CHECKING

# The rest of it, and Redis, when a call is paced: what a deploy calls is not, and it starts a
# quarter of a second earlier.
if TYPE_CHECKING:
    from limits.strategies import MovingWindowRateLimiter

logger = logging.getLogger(__name__)

# Requests a second. Where AWS gives no figure, what its own tools get along with (assumed).
RATES = {
    "acm": 5,  # https://docs.aws.amazon.com/acm/latest/userguide/acm-limits.html
    "cloudfront": 20,  # assumed
    "iam": 15,  # assumed
    "lambda": 15,  # https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
    "logs": 10,  # https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html
    "rds": 10,  # assumed
    # https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/DNSLimitations.html
    "route53": 5,
}
LOOK_AGAIN_SECONDS = 0.05


class Pace:
    """Called before each request; returns when it may be sent. One count in Redis for all workers.

    Without Redis everything goes at once: AWS then throttles, and the calls are tried again.
    """

    def __init__(self, redis_url: str, account: str, share: float) -> None:
        self.redis_url = redis_url
        self.account = account
        self.share = share

    def __call__(self, service: str) -> None:
        if (rate := RATES.get(service)) is not None:
            self._wait(service, max(1, int(rate * self.share)))

    def _wait(self, service: str, rate: int) -> None:
        from limits import RateLimitItemPerSecond
        from redis import RedisError

        item = RateLimitItemPerSecond(rate)
        try:
            while not self._limiter.hit(item, "aws", self.account, service):
                time.sleep(LOOK_AGAIN_SECONDS)
        except RedisError:
            logger.warning("Redis does not answer: calls to %s are not paced", service)

    @cached_property
    def _limiter(self) -> MovingWindowRateLimiter:
        from limits.storage import RedisStorage
        from limits.strategies import MovingWindowRateLimiter

        return MovingWindowRateLimiter(RedisStorage(self.redis_url, wrap_exceptions=False))
