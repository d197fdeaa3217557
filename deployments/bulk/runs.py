"""A run: asked for once, worked through a few sites at a time, picked up wherever it stopped.

A pass takes seconds and then queues itself again, so that whoever deploys meanwhile comes between.
What an act writes and how it went are one transaction where the act is rows alone; where it calls
AWS, it is done again after a crash, which changes nothing.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections import Counter
from collections.abc import Iterable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from celery import current_app
from django.db import transaction
from django.db.models import Count, Q
from django.utils import timezone

from deployments.bulk.acts import ACTS, BulkAct, Outcome
from deployments.models import BulkItem, BulkRun
from sites.errors import Refused, for_people
from sites.models import Operation, Site
from sites.models.lease import LeaseLost
from sites.provisioning import ProvisioningError
from sites.waking import wake

if TYPE_CHECKING:
    from django.contrib.auth.models import User

logger = logging.getLogger(__name__)
State = BulkItem.State

MOST_RUNS = 2  # at work at a time, of all people
BATCH, SECONDS = 20, 5.0  # of one pass, whichever comes first
PAUSE, PATIENCE = 0.2, 3.0
AGAIN_AFTER = timedelta(seconds=10)
MOST_TRIES = 6


# --- Asking ---------------------------------------------------------------------------------------


def start(
    act: BulkAct, sites: Iterable[Site], options: dict[str, Any], user: User, key: uuid.UUID
) -> BulkRun:
    """The run; asked with the same key, the one that is there. ``sites`` are ``act.rows``. The
    caller enqueues ``deployments.run_bulk`` after commit."""
    with transaction.atomic():
        run, is_new = BulkRun.objects.get_or_create(
            key=key, defaults={"act": act.slug, "options": options, "creator": user}
        )
        if is_new:
            BulkItem.objects.bulk_create(
                (_item(run, act, site, user) for site in sites), batch_size=2_000
            )
    return run


def _item(run: BulkRun, act: BulkAct, site: Site, user: User) -> BulkItem:
    said = act.skipped(site, user)
    state = State.SKIPPED if said else State.QUEUED
    return BulkItem(run=run, site=site, site_name=site.name, state=state, said=said)


def try_again(run: BulkRun) -> int:
    """How many failed ones wait for another try."""
    with transaction.atomic():
        BulkRun.objects.select_for_update().get(pk=run.pk)
        count = run.items.filter(state=State.FAILURE).update(
            state=State.QUEUED, said="", tries=0, changed_at=None, operation=None
        )
        if count:
            _reopen(run)
    return count


def stop(run: BulkRun) -> int:
    """How many will not be begun."""
    return run.items.filter(state=State.QUEUED).update(
        state=State.SKIPPED, said="Stopped before its turn.", changed_at=timezone.now()
    )


def _reopen(run: BulkRun) -> None:
    BulkRun.objects.filter(pk=run.pk).exclude(state__in=BulkRun.ACTIVE).update(
        state=BulkRun.State.QUEUED, finished_at=None, next_look_at=None
    )


def counts(run: BulkRun) -> dict[str, int]:
    rows = run.items.order_by().values_list("state").annotate(count=Count("pk"))
    return {str(state): Counter(dict(rows))[state] for state in State}


# --- A worker's pass ------------------------------------------------------------------------------


def due() -> list[int]:
    """Runs that nobody works on and whose time has come."""
    rows = BulkRun.unclaimed().filter(state__in=BulkRun.ACTIVE)
    return list(rows.exclude(next_look_at__gt=timezone.now()).values_list("pk", flat=True))


def advance(pk: int) -> float | None:
    """Make one pass; seconds until the next, or None when there is none to make."""
    run = BulkRun.objects.select_related("creator").filter(pk=pk, state__in=BulkRun.ACTIVE).first()
    if run is None:
        return None
    at_work = BulkRun.objects.filter(lease_until__gte=timezone.now()).exclude(pk=pk)
    if at_work.count() >= MOST_RUNS:
        return PATIENCE
    if not run.claim(state=BulkRun.State.IN_PROGRESS):
        return None
    try:
        with run.heartbeat():
            return _pass(run)
    except LeaseLost:
        return None


def _pass(run: BulkRun) -> float | None:
    act = ACTS.get(run.act)
    _look_at_operations(run)
    done = 0
    if act is None or run.creator is None:
        why = "Who asked for this is gone." if act else "This version does not know the act."
        run.items.filter(state=State.QUEUED).update(state=State.SKIPPED, said=why)
    else:
        ends = time.monotonic() + SECONDS
        for pk in _next(run, act):
            if time.monotonic() > ends:
                break
            _one(run, act, pk, run.creator)
            done += 1
    if not run.items.exclude(state__in=BulkItem.OVER).exists():
        run.release(state=BulkRun.State.DONE, finished_at=timezone.now(), attempts=0)
        return None
    pause = PAUSE if done else PATIENCE
    run.release(next_look_at=timezone.now() + timedelta(seconds=pause), attempts=0)
    return pause


def _next(run: BulkRun, act: BulkAct) -> list[int]:
    """Those that a killed worker had begun, then those that wait."""
    under_way = Q(state=State.IN_PROGRESS)
    room = BATCH
    if act.most_at_once:
        waited_for = run.items.filter(under_way, operation__isnull=False).count()
        room = max(0, act.most_at_once - waited_for)
    is_rested = Q(changed_at=None) | Q(changed_at__lt=timezone.now() - AGAIN_AFTER)
    rows = run.items.filter(
        Q(under_way, operation=None, said="") | Q(is_rested, state=State.QUEUED)
    )
    return list(rows.order_by("tries", "pk").values_list("pk", flat=True)[:room])


def _one(run: BulkRun, act: BulkAct, pk: int, user: User) -> None:
    try:
        with for_people():
            if act.is_local:
                with transaction.atomic():
                    _act(run, act, pk, user)
            else:
                _act(run, act, pk, user)
    except (Refused, ProvisioningError) as refused:
        _refused(run, pk, refused)
    except Exception:
        logger.exception("bulk item %s failed by a mistake of ours", pk)
        text = "cloudadmin itself failed here; the worker's log has the details."
        run.items.filter(pk=pk).update(
            state=State.FAILURE, said=text, operation=None, changed_at=timezone.now()
        )


def _act(run: BulkRun, act: BulkAct, pk: int, user: User) -> None:
    """Begin, do, and write how it went; the claim on the run keeps others away."""
    item = _begun(run, pk)
    if item is None:
        return
    if item.tries > MOST_TRIES:
        return _end(item, State.FAILURE, "Its worker died several times; it is not tried again.")
    site = act.rows(Site.objects.filter(pk=item.site_id or 0)).first()
    if site is None:
        return _end(item, State.SKIPPED, "It is gone: it was destroyed meanwhile.")
    if why := act.skipped(site, user):
        return _end(item, State.SKIPPED, why)
    outcome: Outcome = act.do(site, run.options, item, user)
    if outcome.operation is not None:
        item.operation = outcome.operation
        _end(item, State.IN_PROGRESS, outcome.said)
    else:
        _end(item, State.SUCCESS, outcome.said)
    if outcome.wake is not None:
        task, about = outcome.wake
        wake(current_app.send_task, task, (about,))
    return None


def _begun(run: BulkRun, pk: int) -> BulkItem | None:
    """The item, unless it was stopped meanwhile."""
    with transaction.atomic():
        rows = run.items.select_for_update().exclude(state__in=BulkItem.OVER)
        item = rows.filter(pk=pk).first()
        if item is not None:
            item.state, item.tries, item.said = State.IN_PROGRESS, item.tries + 1, ""
            item.save(update_fields=["state", "tries", "said"])
    return item


def _end(item: BulkItem, state: str, said: str) -> None:
    item.state, item.said, item.changed_at = state, said, timezone.now()
    item.save(update_fields=["state", "said", "operation", "changed_at"])


def _refused(run: BulkRun, pk: int, refused: Exception) -> None:
    """What may work in a moment waits for its next turn."""
    item = run.items.get(pk=pk)
    again = getattr(refused, "try_again", False) or not getattr(refused, "permanent", True)
    if item.state == State.QUEUED:  # taken back with the transaction
        item.tries += 1
    item.state = State.QUEUED if again and item.tries < MOST_TRIES else State.FAILURE
    item.said, item.changed_at = str(refused), timezone.now()
    item.save(update_fields=["state", "said", "tries", "changed_at"])


def _look_at_operations(run: BulkRun) -> None:
    """How those ended that were waited for."""
    waiting = run.items.filter(state=State.IN_PROGRESS).exclude(operation=None)
    for item in waiting.select_related("operation"):
        operation = item.operation
        if operation is None or operation.status in Operation.ACTIVE:
            continue
        if operation.status == Operation.Status.SUCCESS:
            _end(item, State.SUCCESS, "Provisioned.")
        elif operation.status == Operation.Status.INACTIVE:
            _end(item, State.SKIPPED, "A newer operation took its place.")
        else:
            _end(item, State.FAILURE, operation.error_message or "It failed without a message.")
    lost = Q(state=State.IN_PROGRESS, operation=None) & ~Q(said="")
    run.items.filter(lost).update(state=State.SKIPPED, said="Its operation is gone.")
