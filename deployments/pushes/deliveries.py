"""The log of webhooks that came in. Whoever is not let in cannot fill it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from django.utils import timezone

from deployments.models import Delivery, Deployment, Repository

Outcome = Delivery.Outcome
KEEP = timedelta(days=30)
# Of one repository, or of none, in one hour.
REFUSALS_LOGGED = 30


def refuse(
    repository: Repository | None, headers: Mapping[str, str], reason: str, body_sha256: str = ""
) -> Delivery:
    """The row, not saved once there are many: strangers and repeats are written down so often."""
    delivery = made(repository, headers, Outcome.REFUSED, reason, body_sha256)
    recent = Delivery.objects.filter(
        repository=repository,
        outcome=Outcome.REFUSED,
        created_at__gt=timezone.now() - timedelta(hours=1),
    )
    if recent.count() < REFUSALS_LOGGED:
        delivery.save()
    return delivery


def made(
    repository: Repository | None,
    headers: Mapping[str, str],
    outcome: Outcome,
    reason: str,
    body_sha256: str = "",
    deployment: Deployment | None = None,
) -> Delivery:
    """``event`` and ``delivery_id`` are what the headers claim: to find it at GitHub, no more."""
    return Delivery(
        repository=repository,
        delivery_id=_claimed(headers, "X-GitHub-Delivery")[:100],
        event=_claimed(headers, "X-GitHub-Event")[:50],
        body_sha256=body_sha256,
        outcome=outcome,
        reason=reason[:300],
        deployment=deployment,
    )


def expire() -> int:
    """Delete what is a month old; how many. What was accepted stays: it is not accepted again."""
    old = Delivery.objects.filter(created_at__lt=timezone.now() - KEEP)
    deleted, _ = old.exclude(outcome=Outcome.ACCEPTED).delete()
    return deleted


def _claimed(headers: Mapping[str, str], name: str) -> str:
    return "".join(c for c in headers.get(name, "") if c.isprintable())
