"""Certificates that are not renewed as they should be: which, why, and what a person does.

ACM renews what is in use by itself, 45 days before it expires (60 what was issued for 395 days), as
long as it finds the validation records in the public DNS.
https://docs.aws.amazon.com/acm/latest/userguide/dns-renewal-validation.html
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q, QuerySet
from django.utils import timezone

from sites.models import Resource, Site
from sites.provisioning.resources.certificate import REASONS

# Before that, ACM tries nothing; after it, it should have been done.
RENEWED_FROM, RENEWED_UNTIL = timedelta(days=60), timedelta(days=30)
STUCK = ("PENDING_VALIDATION", "FAILED")
# Days left at which it is told again.
STEPS = (3, 14)
DAY = timedelta(days=1)
SHOWN = 2


def expiring(now: datetime | None = None) -> QuerySet[Resource]:
    """Those of sites that AWS cannot renew, or should have renewed by now."""
    now = now or timezone.now()
    is_late = Q(expires_at__lt=now + RENEWED_UNTIL)
    return Resource.objects.filter(
        is_late | Q(renewal__status__in=STUCK),
        type="certificate",
        site__isnull=False,
        expires_at__lt=now + RENEWED_FROM,
    ).exclude(site__state=Site.State.DESTROYING)


@dataclass(frozen=True)
class Lifetime:
    """Until when a certificate is good, and what is in the way of its renewal."""

    row: Resource
    now: datetime = field(default_factory=timezone.now)

    @property
    def left(self) -> timedelta:
        return self.row.expires_at - self.now if self.row.expires_at else RENEWED_FROM

    @property
    def days_left(self) -> int:
        """Whole days, below zero when it has expired."""
        return self.left // DAY

    @property
    def is_over(self) -> bool:
        return self.left < timedelta(0)

    @property
    def needs_attention(self) -> bool:
        """As ``expiring`` has it."""
        is_stuck = self.row.renewal.get("status") in STUCK and self.left < RENEWED_FROM
        return is_stuck or self.left < RENEWED_UNTIL

    @property
    def step(self) -> str:
        """How far it is; at each it is told once."""
        if self.is_over:
            return "over"
        return next((str(days) for days in STEPS if self.left < days * DAY), "soon")

    @property
    def domains(self) -> list[str]:
        return list(self.row.inputs.get("domains", ()))

    @property
    def when(self) -> str:
        if self.is_over:
            days = -self.left // DAY
            return f"expired {_days(days)} ago" if days else "expired today"
        return f"expires in {_days(self.days_left)}" if self.days_left else "expires within a day"

    @property
    def what(self) -> str:
        if not self.domains:
            return "its certificate"
        named = " and ".join(self.domains[:SHOWN])
        more = len(self.domains) - SHOWN
        return f"the certificate of {f'{named} and {more} more' if more > 0 else named}"

    @property
    def missing(self) -> list[tuple[str, str]]:
        """Names and values of the records that AWS does not find; a wildcard has its base's."""
        known: dict[str, Any] = self.row.attributes
        records = {
            known.get(f"validation_name:{domain}", ""): known.get(f"validation_value:{domain}", "")
            for domain in self.row.renewal.get("unproven", ())
        }
        return [(name.rstrip("."), value.rstrip(".")) for name, value in records.items() if name]

    @property
    def why(self) -> str:
        """A clause that goes on after ``when``."""
        renewal = self.row.renewal
        if self.is_over:
            return "browsers warn your visitors; AWS renews nothing that has expired"
        if reason := renewal.get("reason"):
            return f"AWS cannot renew it: {REASONS.get(reason, f'see ACM ({reason})')}"
        if self._is_unproven:
            names = " and ".join(name for name, _ in self.missing)
            many = len(self.missing) > 1
            return f"AWS cannot renew it: the record{'s' if many else ''} {names} " + (
                "are gone" if many else "is gone"
            )
        if not renewal.get("is_eligible", True):
            return "AWS does not renew it, for no distribution uses it"
        if renewal.get("status") in STUCK:
            return "AWS cannot renew it"
        return "AWS has not renewed it yet, which it should have"

    @property
    def todo(self) -> str:
        renewal = self.row.renewal
        if self.is_over:
            return (
                "Add a domain to the site, or remove one, and provision: other domains get a new "
                "certificate."
            )
        if renewal.get("reason"):
            return "AWS tries again by itself when that is done."
        if self._is_unproven:
            records = "; ".join(f"CNAME {name} → {value}" for name, value in self.missing)
            return f"Put {'them' if len(self.missing) > 1 else 'it'} back: {records}."
        if not renewal.get("is_eligible", True):
            return "Provision the site, so that its distribution uses it."
        return "See that its validation records are in the DNS as the page Domains shows them."

    @property
    def sentence(self) -> str:
        return f"{self.what[0].upper()}{self.what[1:]} {self._how}"

    @property
    def brief(self) -> str:
        """Where it is plain whose certificate it is: how long it is good comes first."""
        return f"{self._how[0].upper()}{self._how[1:]}"

    def as_json(self) -> dict[str, Any]:
        """``problem`` is empty when AWS renews it by itself."""
        return {
            "domains": self.domains,
            "status": self.row.aws_status,
            "expires_at": self.row.expires_at and self.row.expires_at.isoformat(),
            "problem": self.sentence if self.needs_attention else "",
        }

    @property
    def _how(self) -> str:
        return f"{self.when}{': ' if self.is_over else ' and '}{self.why}. {self.todo}"

    @property
    def _is_unproven(self) -> bool:
        return self.row.renewal.get("status") in STUCK and bool(self.missing)


def _days(count: int) -> str:
    return f"{count} day{'' if count == 1 else 's'}"
