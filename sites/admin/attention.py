"""Which sites need a person. Each reason is a condition, for the first page and for the list."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import reduce
from operator import or_
from typing import Any, NamedTuple

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone

from sites.admin.drift import has_drift
from sites.admin.lists import Filter
from sites.admin.waits import by_urgency
from sites.certificates import expiring
from sites.models import Operation, Resource, Site

# Longer than a certificate or a distribution takes when nothing is wrong.
LONG = timedelta(days=1)


class Reason(NamedTuple):
    """``value`` is what the list's address has for it."""

    value: str
    words: str
    condition: Callable[[], Q]


def failed_operations() -> QuerySet[Operation]:
    """Those after which there was no other one of their site."""
    later = Operation.objects.filter(site=OuterRef("site"), pk__gt=OuterRef("pk"))
    return Operation.objects.filter(~Exists(later), status__in=Operation.FAILED, site__isnull=False)


def waiting_operations() -> QuerySet[Any]:
    """Those that go on when somebody has done something."""
    active = Operation.objects.filter(status__in=Operation.ACTIVE)
    return by_urgency(active).filter(is_on_you=True)


def slow_resources() -> QuerySet[Resource]:
    """What AWS has not made ready for longer than is usual: a certificate, mostly."""
    return Resource.objects.filter(waiting_since__lt=timezone.now() - LONG, is_ready=False)


def _sites_of(rows: QuerySet[Any]) -> Q:
    return Q(pk__in=rows.filter(site__isnull=False).order_by().values("site"))


REASONS = (
    Reason("waiting", "Waits for you", lambda: _sites_of(waiting_operations())),
    Reason(
        "failed",
        "An operation failed",
        lambda: Q(state=Site.State.FAILED) | _sites_of(failed_operations()),
    ),
    Reason("certificate", "Its certificate expires soon", lambda: _sites_of(expiring())),
    Reason("drift", "Changed on AWS", has_drift),
    Reason("slow", "Waits for more than a day", lambda: _sites_of(slow_resources())),
)


class Attention(Filter):
    """By a reason, by any of them, or by none."""

    def __init__(self, *reasons: Reason) -> None:
        super().__init__("attention")
        self.reasons = {each.value: each for each in reasons}

    def choices(self, request: HttpRequest) -> list[tuple[str, str]]:
        each = [(reason.value, reason.words) for reason in self.reasons.values()]
        return [("yes", "Needs attention"), *each, ("no", "Fine")]

    def apply(self, rows: QuerySet[Any], value: str) -> QuerySet[Any]:
        if value in self.reasons:
            return rows.filter(self.reasons[value].condition())
        any_of_them = reduce(or_, (each.condition() for each in self.reasons.values()))
        return rows.filter(any_of_them if value == "yes" else ~any_of_them)
