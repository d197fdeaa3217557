"""How long a certificate is good: ACM renews what is in use 45 days before its end, when each of
its validation records is in the public DNS and CAA still allows it.

``/_localcloud/certificates`` answers here, and makes certificates old; see docs/local-cloud.md.
https://docs.aws.amazon.com/acm/latest/userguide/dns-renewal-validation.html
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from localcloud.proxy import body_of, reply
from localcloud.wire import Answer

DAY = 86_400
# https://docs.aws.amazon.com/acm/latest/userguide/acm-certificate-characteristics.html
VALID, RENEWED_BEFORE = 198 * DAY, 45 * DAY


class BadAge(ValueError):
    """What was asked for cannot be; the text says why."""


@dataclass
class Lifetimes:
    """``issued`` and ``renewed`` are seconds since the epoch by ARN."""

    issued: dict[str, float] = field(default_factory=dict)
    renewed: dict[str, float] = field(default_factory=dict)

    def begins(self, arn: str) -> float:
        return self.renewed.get(arn, self.issued[arn])

    def ends(self, arn: str) -> float:
        return self.begins(arn) + VALID

    def is_over(self, arn: str) -> bool:
        return self.ends(arn) < time.time()

    def is_to_be_renewed(self, arn: str) -> bool:
        return 0 <= self.ends(arn) - time.time() < RENEWED_BEFORE

    def age(self, arn: str, days_left: float) -> None:
        """As if it had been issued so long ago, and not been renewed since."""
        self.renewed.pop(arn, None)
        self.issued[arn] = time.time() + days_left * DAY - VALID

    def forget(self, arn: str) -> None:
        self.issued.pop(arn, None)
        self.renewed.pop(arn, None)

    def as_fields(self, arn: str) -> dict[str, Any]:
        return {
            "IssuedAt": self.issued[arn],
            "NotBefore": self.begins(arn),
            "NotAfter": self.ends(arn),
        }


def renewal_summary(status: str, options: list[dict[str, Any]], reason: str = "") -> dict[str, Any]:
    """A ``RenewalSummary``; ``options`` are the domains with how far each is."""
    return {
        "RenewalStatus": status,
        "DomainValidationOptions": options,
        "UpdatedAt": time.time(),
        **({"RenewalStatusReason": reason} if reason else {}),
    }


class Certificates:
    """ASGI app. ``save`` is called after a change."""

    def __init__(self, lifetimes: Lifetimes, save: Callable[[], None]) -> None:
        self.lifetimes = lifetimes
        self.save = save

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body = b"".join([chunk async for chunk in body_of(receive)])
        try:
            await reply(send, self._answer(scope["method"], body))
        except (TypeError, ValueError) as error:
            await reply(send, _json({"error": f"/_localcloud/certificates: {error}"}, 400))

    def _answer(self, method: str, body: bytes) -> Answer:
        match method:
            case "GET":
                pass
            case "POST":
                self._age(dict(json.loads(body)))
                self.save()
            case _:
                return _json({"error": f"{method} is not possible here"}, 405)
        now = time.time()
        ends = {arn: self.lifetimes.ends(arn) for arn in self.lifetimes.issued}
        return _json(
            [{"arn": arn, "days_left": round((end - now) / DAY, 2)} for arn, end in ends.items()]
        )

    def _age(self, asked: dict[str, Any]) -> None:
        arn, days = (asked.get(name) for name in ("arn", "days_left"))
        if arn not in self.lifetimes.issued:
            raise BadAge(f"no issued certificate has the arn {arn!r}")
        if not isinstance(days, int | float) or not -VALID <= days * DAY <= VALID:
            raise BadAge(f"days_left is a number up to {VALID // DAY}, not {days!r}")
        self.lifetimes.age(arn, days)


def _json(document: object, status: int = 200) -> Answer:
    return Answer(status, [("Content-Type", "application/json")], json.dumps(document).encode())
