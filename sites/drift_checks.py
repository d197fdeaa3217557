"""Looking for drift: a deep look at one site, and a cheap one at a whole account.

The deep look reads every resource: 26 calls for a site with one domain, spread over the day. The
cheap look is flat in the number of sites (``provisioning.listings``); what looks different there is
read deep before anything is said. A site that an operation is at work on is left alone.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import timedelta
from itertools import groupby
from math import ceil

from django.conf import settings
from django.db.models import Max, Q, QuerySet
from django.utils import timezone

from cloudadmin.aws import Clients
from sites import events
from sites.access import clients_for
from sites.certificates import Lifetime
from sites.drift import rows_of
from sites.errors import Refused
from sites.models import Account, Operation, Resource, Site
from sites.provisioning.drift import Drift, look
from sites.provisioning.drift.listings import suspects
from sites.provisioning.errors import ResourceFailed
from sites.provisioning.resources.base import State
from sites.store import locked, record_of

logger = logging.getLogger(__name__)

# Every site is looked at once in this time, in so many ticks.
PERIOD = timedelta(seconds=settings.CLOUDADMIN_DRIFT_SECONDS)
TICKS = 48


def is_busy(site: Site) -> bool:
    """Whether an operation is at work on it."""
    return _at_work().filter(site=site).exists()


def check(site: Site, *, deep: bool = True) -> list[ResourceFailed]:
    """Look at one site and what it shares, now; ``drift.of_site`` tells what was found.

    Returns what AWS would not tell: nothing new is said about those. Raises Refused while an
    operation is at work.
    """
    if is_busy(site):
        raise Refused(
            f"An operation is at work on {site.name}; drift is looked for when it is done.",
            try_again=True,
        )
    rows = rows_of(site)
    with locked("cloudadmin.drift", site.pk) as ours:
        if not ours:
            raise Refused(f"Drift of {site.name} is being looked for right now.", try_again=True)
        clients = clients_for(site.account)
        return _read(rows, clients) if deep else _sift(rows, clients)


def check_due(pk: int) -> None:
    """The deep look of beat; what another site of the account looked at already is left out."""
    site = Site.objects.select_related("account").filter(pk=pk).first()
    if site is None or is_busy(site):
        return
    with locked("cloudadmin.drift", pk) as ours:
        if ours:
            _warned(_read(rows_of(site).filter(_is_old()), clients_for(site.account)))


def look_over(account: Account) -> list[ResourceFailed]:
    """The cheap look at all sites of an account, but for those that an operation is at work on.

    Returns what AWS would not tell.
    """
    with locked("cloudadmin.drift.account", account.pk) as ours:
        if not ours:
            return []
        rows = Resource.objects.select_related("account", "site").filter(account=account)
        busy = _at_work().values("site")
        return _warned(_sift(rows.exclude(site__in=busy), clients_for(account)))


def due() -> list[int]:
    """The sites to look at in this tick: of each account its share, the least recently looked at
    first, so that an account that is out of reach holds up no other."""
    sites = (
        Site.objects.exclude(state__in=[Site.State.DRAFT, Site.State.DESTROYING])
        .annotate(checked_at=Max("resources__drift_checked_at"))
        .order_by("account", "pk")
    )
    busy = set(_at_work().values_list("site", flat=True))
    oldest = timezone.now() - PERIOD
    chosen: list[int] = []
    for _, group in groupby(sites, key=lambda site: site.account_id):
        of_account = list(group)
        old = [
            site
            for site in of_account
            if site.pk not in busy and (site.checked_at is None or site.checked_at < oldest)
        ]
        old.sort(key=lambda site: (site.checked_at is not None, site.checked_at))
        chosen += [site.pk for site in old[: ceil(len(of_account) / TICKS)]]
    return chosen


def accounts() -> list[int]:
    """Those that have something on AWS."""
    return list(
        Account.objects.filter(resources__isnull=False).distinct().values_list("pk", flat=True)
    )


def _sift(rows: QuerySet[Resource], clients: Clients) -> list[ResourceFailed]:
    """Read deep what the lists show otherwise than it was recorded, and what had drifted or was
    not renewed before."""
    known = {row.pk: row for row in rows}
    found, failures = suspects({pk: record_of(row) for pk, row in known.items()}, clients)
    if any(not failure.permanent for failure in failures):
        return failures
    found |= {pk for pk, row in known.items() if row.drift or Lifetime(row).needs_attention}
    return failures + _read([row for pk, row in known.items() if pk in found], clients)


def _read(rows: Iterable[Resource], clients: Clients) -> list[ResourceFailed]:
    failures: list[ResourceFailed] = []
    found: dict[Site, list[str]] = {}
    for row in rows:
        try:
            current, drifts = look(row.logical_id, record_of(row), clients)
        except ResourceFailed as error:
            failures.append(error)
            if not error.permanent:
                break  # AWS is busy or out of reach: asking on would not help.
            continue
        is_kept = _kept(row, current, drifts)
        for drift in drifts:
            if drift.as_json() not in row.drift:
                logger.warning("%s: %s", row.site or row.account, drift.sentence)
                if is_kept and row.site:
                    found.setdefault(row.site, []).append(drift.sentence)
    for site, sentences in found.items():
        events.drifted(site, sentences)
    return failures


def _kept(row: Resource, current: State | None, drifts: Iterable[Drift]) -> int:
    """Guarded: an operation that began meanwhile knows better."""
    seen = {"expires_at": current.expires_at, "renewal": current.renewal} if current else {}
    return (
        Resource.objects.filter(pk=row.pk, read_at=row.read_at)
        .exclude(site__in=_at_work().values("site"))
        .update(drift=[each.as_json() for each in drifts], drift_checked_at=timezone.now(), **seen)
    )


def _warned(failures: list[ResourceFailed]) -> list[ResourceFailed]:
    for failure in failures:
        logger.warning("drift could not be looked for: %s", failure)
    return failures


def _at_work() -> QuerySet[Operation]:
    return Operation.objects.filter(status__in=Operation.ACTIVE, site__isnull=False)


def _is_old() -> Q:
    oldest = timezone.now() - PERIOD
    return Q(drift_checked_at=None) | Q(drift_checked_at__lt=oldest)
