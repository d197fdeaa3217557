"""How long AWS takes, in one table, and a clock that knows what is still under way.

Seconds at ``--time-scale 1``. Where AWS gives no figure, it is what people usually see.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

SECONDS: Mapping[str, float] = {
    # https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/CHAP_GettingStarted.CreatingConnecting.PostgreSQL.html
    # says up to 20 minutes; a small instance takes about 5.
    "db_instance": 300,
    # https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html#troubleshoot_general_eventual-consistency
    "role": 10,
    # https://docs.aws.amazon.com/Route53/latest/APIReference/API_GetChange.html: within 60 seconds
    "change": 60,
    # How soon after one change a zone takes the next.
    # https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/DNSLimitations.html#limits-api-requests-route-53
    "zone": 1,
    # https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/HowToUpdateDistribution.html
    # gives no figure; 3 to 6 minutes are usual.
    "distribution": 240,
    # https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/Invalidation.html: 19 of 20
    # within 25 seconds
    "invalidation": 20,
    # https://docs.aws.amazon.com/lambda/latest/dg/functions-states.html: "seconds"
    "function": 5,
    "function_update": 3,
    # https://docs.aws.amazon.com/AmazonS3/latest/userguide/delete-bucket.html: "some time"; seen:
    # up to an hour, https://github.com/aws/aws-cli/issues/2593
    "bucket_name": 120,
    # https://docs.aws.amazon.com/acm/latest/APIReference/API_DomainValidation.html: not at once
    "validation_record": 5,
    # https://docs.aws.amazon.com/acm/latest/userguide/dns-validation.html: up to 30 minutes; the
    # usual is 2 or 3.
    "certificate": 150,
    # https://docs.aws.amazon.com/acm/latest/userguide/troubleshooting-timed-out.html: 72 hours
    "validation": 259200,
}


class Clock:
    """Remembers when things began. A restart of the cloud ends all that is under way."""

    def __init__(self, scale: float = 0, now: Callable[[], float] = time.monotonic) -> None:
        self.scale = scale
        self._now = now
        self._ends: dict[tuple[str, str], float] = {}

    def begin(self, what: str, key: str) -> None:
        """Anew, if it had begun before."""
        self._ends[what, key] = self._now() + SECONDS[what] * self.scale

    def end(self, what: str, key: str) -> None:
        """Now, whenever it began."""
        self._ends.pop((what, key), None)

    def has_begun(self, what: str, key: str) -> bool:
        return (what, key) in self._ends

    def under_way(self, what: str, key: str) -> bool:
        """Begun, and not over."""
        return self._now() < self._ends.get((what, key), 0)
