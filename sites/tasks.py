"""Celery entry points: thin, idempotent, safe to deliver twice."""

from __future__ import annotations

from celery import shared_task

from sites import drift_checks, operations
from sites.models import Account
from sites.store import locked
from sites.visits import retention
from sites.visits.sync import prune, sync

# A message that waits longer than this is dropped; beat finds the row again.
LONGEST_COUNTDOWN = 30.0
# While a pull takes long, no other worker waits for its end; beat asks again.
BEING_PULLED = "cloudadmin.visits"


@shared_task(name="sites.run_operation")
def run_operation(pk: int) -> None:
    pause = operations.run(pk)
    if pause is not None and pause <= LONGEST_COUNTDOWN:
        run_operation.apply_async((pk,), countdown=pause)


@shared_task(name="sites.requeue_operations")
def requeue_operations() -> None:
    """Take back what a dead worker held, and wake what has waited long enough."""
    for pk in operations.due():
        run_operation.delay(pk)


@shared_task(name="sites.sync_visits")
def sync_visits() -> None:
    for pk in Account.objects.values_list("pk", flat=True):
        # Behind a busy worker they do not pile up: the newest one reads it all.
        sync_visits_of_account.apply_async((pk,), expires=LONGEST_COUNTDOWN)


@shared_task(name="sites.sync_visits_of_account")
def sync_visits_of_account(pk: int) -> None:
    account = Account.objects.filter(pk=pk).first()
    if account:
        with locked(BEING_PULLED, pk) as is_ours:
            if is_ours:
                sync(account)


@shared_task(name="sites.tidy_visits")
def tidy_visits() -> None:
    for pk in Account.objects.filter(visit_cursor__isnull=False).values_list("pk", flat=True):
        prune_visits_of_account.delay(pk)
    retention.tidy()


@shared_task(name="sites.prune_visits_of_account")
def prune_visits_of_account(pk: int) -> None:
    account = Account.objects.filter(pk=pk).first()
    if account:
        with locked(BEING_PULLED, pk) as is_ours:
            if is_ours:
                prune(account)


@shared_task(name="sites.check_drift")
def check_drift() -> None:
    for pk in drift_checks.due():
        check_drift_of_site.delay(pk)


@shared_task(name="sites.check_drift_of_site")
def check_drift_of_site(pk: int) -> None:
    drift_checks.check_due(pk)


@shared_task(name="sites.look_for_drift")
def look_for_drift() -> None:
    for pk in drift_checks.accounts():
        look_for_drift_of_account.delay(pk)


@shared_task(name="sites.look_for_drift_of_account")
def look_for_drift_of_account(pk: int) -> None:
    account = Account.objects.filter(pk=pk).first()
    if account:
        drift_checks.look_over(account)
