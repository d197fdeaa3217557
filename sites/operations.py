"""The bridge between rows and provisioning, and the only module that knows both.

request   a person asks: an ``Operation`` row, enqueued after commit
run       a worker claims the row, makes one pass, and says when to look again
plan      the same walk, writing nothing
preflight what the plan would run into
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone

from cloudadmin.calls import noting_calls
from sites import accounts, by_hand, events, provisioning, stacks, tries
from sites.access import clients_for
from sites.audit import on_behalf_of
from sites.errors import Refused
from sites.farewell import raise_if_lived_in
from sites.models import Account, Operation, OperationEvent, Resource, Site
from sites.models.lease import LeaseLost
from sites.preflight import explained_waits, findings
from sites.provisioning.preflight import Blocked, Finding, raise_if_blocked
from sites.signals import site_provisioned
from sites.store import RowStore, account_lock

if TYPE_CHECKING:
    from django.contrib.auth.models import User

logger = logging.getLogger(__name__)

MAX_ATTEMPTS = 5
RETRY_SECONDS = 5
RESEND = timedelta(seconds=30)
OUR_MISTAKE = "cloudadmin itself failed here; the worker's log has the details."
# What must be ready for a visitor to get an answer; certificates and aliases join later.
SERVING = frozenset({"bucket", "bucket_policy", "function", "key_value_store", "distribution"})

Outcome = provisioning.Done | provisioning.Waiting | provisioning.Failed


class OperationRefused(Refused):
    """The site cannot have this operation, or not now."""


def request(
    site: Site,
    kind: str,
    creator: User | None = None,
    force: Sequence[str] = (),
    plan_checksum: str = "",
    by_hand: bool = False,
) -> Operation:
    """Ask for an operation. The caller enqueues ``sites.tasks.run_operation`` after commit.

    ``force`` names what keeps data and may be deleted or replaced all the same, and the codes of
    findings that shall not stop it. With a
    ``plan_checksum`` no other plan than that is applied; ``by_hand``, each change of it waits for a
    word (``sites.by_hand``). An operation that only waits (for a
    certificate, say) is superseded; one that a worker is busy with is not.
    """
    with transaction.atomic():
        current = _held(site)
        if current is None:
            raise OperationRefused(f"{site.name} is gone.")
        # Guarded: an operation that a worker just claimed is not superseded.
        Operation.unclaimed().filter(site=site, status__in=Operation.ACTIVE).update(
            # The fence refuses a worker that read the row before.
            fence=F("fence") + 1,
            status=Operation.Status.INACTIVE,
            finished_at=timezone.now(),
            waits=[],
        )
        try:
            with transaction.atomic():
                operation = Operation.objects.create(
                    site=site,
                    site_name=site.name,
                    kind=kind,
                    creator=creator,
                    force=list(force),
                    plan_checksum=plan_checksum,
                    by_hand=by_hand,
                )
        except IntegrityError as error:
            raise OperationRefused(
                f"{site.name} is being worked on right now; try again in a few seconds.",
                try_again=True,
            ) from error
        state = _state_after(kind, current)
    site.state = state
    return operation


def _held(site: Site | None) -> Site | None:
    """Its row as it is now, locked to the end of the transaction.

    Locked before any operation of the site: who changes a site holds it already, and the other
    order would be a deadlock of the two.
    """
    if site is None:
        return None
    return Site.objects.select_for_update(no_key=True).filter(pk=site.pk).first()


def _state_after(kind: str, site: Site) -> str:
    """The state of a held site that is asked for this. Raises OperationRefused, which takes back
    the operation."""
    if kind == Operation.Kind.PROVISION:
        _raise_if_leaving(site)
    destroying = kind == Operation.Kind.DESTROY
    if destroying or site.state != Site.State.LIVE:
        site.state = Site.State.DESTROYING if destroying else Site.State.PROVISIONING
        site.save(update_fields=["state"])
    return site.state


def _raise_if_leaving(site: Site) -> None:
    """Refuse while the site, what it shares, or a thing that would be its own is deleted."""
    if site.state == Site.State.DESTROYING:
        raise OperationRefused(f"{site.name} is being destroyed.")
    account = accounts.held(site.account)
    if accounts.is_being_destroyed(account):
        raise OperationRefused(
            f"What the sites of account {account.name} share is being destroyed; try again "
            "when that is done.",
            try_again=True,
        )
    accounts.raise_if_deleting(account, site)


def run(pk: int) -> float | None:
    """Make one pass. Returns the seconds until the next look, or None when there is none to make.

    Safe to call twice, at once or after a crash: whoever claims the row works, the others leave.
    """
    operation = (
        Operation.objects.select_related("site__account", "account", "creator")
        .filter(pk=pk, status__in=Operation.ACTIVE)
        .first()
    )
    if operation is None or not operation.claim(status=Operation.Status.IN_PROGRESS):
        return None
    try:
        with on_behalf_of(operation.creator):
            return _run(operation)
    except LeaseLost:
        return None


def _run(operation: Operation) -> float | None:
    """As its holder. Raises LeaseLost."""
    if operation.attempts >= MAX_ATTEMPTS:
        _fail(
            operation,
            Operation.Status.NEEDS_ATTENTION,
            "Its worker died five times; it is not run again.",
        )
        return None
    try:
        with operation.heartbeat(), noting_calls():
            return _settle(operation, _explained(operation, _pass(operation)))
    except LeaseLost:
        raise
    except provisioning.ResourceFailed as error:
        return _settle(operation, provisioning.Failed(error))
    except (provisioning.UnsafePlan, provisioning.PlanChanged, Blocked, Refused) as refusal:
        tries.note(operation, refusal)
        _refuse(operation, str(refusal))
        return None
    except Exception:
        logger.exception("operation %s failed by a mistake of ours", operation.pk)
        tries.note(operation, OUR_MISTAKE)
        return _retry(operation, OUR_MISTAKE)


def plan(site: Site, *, leaving: Collection[tuple[str, str]] = ()) -> provisioning.Plan:
    """What ``run`` would do now, found by the same walk.

    ``leaving``: the logical id and path of drift that is not to be put right.
    """
    account = site.account
    clients = clients_for(account)
    shared = provisioning.plan(
        stacks.of_account(account, site), clients, RowStore(None, account, None, leaving)
    )
    own = provisioning.plan(stacks.of_site(site), clients, RowStore(None, account, site, leaving))
    return own.after(shared)


def preflight(site: Site, planned: provisioning.Plan | None = None) -> tuple[Finding, ...]:
    """What its plan would run into, looked up on AWS and in the DNS; those that block first."""
    return findings(site, planned or plan(site))


def due() -> list[int]:
    """Operations that nobody holds and whose time has come: what beat re-queues.

    Each is sent again only when nobody took it for a while, so that a long queue does not grow.
    """
    now = timezone.now()
    waiting = Operation.unclaimed().filter(status__in=Operation.ACTIVE)
    pks = list(waiting.exclude(next_check_at__gt=now).values_list("pk", flat=True))
    waiting.filter(pk__in=pks).update(next_check_at=now + RESEND)
    return pks


def _pass(operation: Operation) -> Outcome:
    site = operation.site
    now = timezone.now()
    if site is None:
        return _account_pass(operation, now)
    clients = clients_for(site.account)
    own = RowStore(operation, site.account, site)
    only = operation.chosen if operation.by_hand else None
    if operation.kind == Operation.Kind.DESTROY:
        return provisioning.destroy(stacks.of_site(site), clients, own, now=now)
    if not operation.plan:
        _check(operation, site)
    with account_lock(site.account) as locked:
        if not locked:
            return _wait_for_account(site.account, now)
        shared = RowStore(operation, site.account, None)
        outcome = provisioning.advance(
            stacks.of_account(site.account, site), clients, shared, now=now, only=only
        )
    if isinstance(outcome, provisioning.Failed):
        return outcome
    stack = stacks.of_site(site)
    outcome = outcome.joined(provisioning.advance(stack, clients, own, now=now, only=only))
    return outcome if only is None else by_hand.narrowed(outcome)


def _account_pass(operation: Operation, now: datetime) -> Outcome:
    account = operation.account
    if account is None:
        return provisioning.Done()
    clients = clients_for(account)
    if operation.kind == Operation.Kind.DELETE:
        return accounts.delete_targets(operation, clients, now)
    with account_lock(account) as locked:
        if not locked:
            return _wait_for_account(account, now)
        raise_if_lived_in(account)
        store = RowStore(operation, account, None)
        return provisioning.destroy(stacks.of_account(account), clients, store, now=now)


def _check(operation: Operation, site: Site) -> None:
    """Once, before the first change. Raises PlanChanged, UnsafePlan and Blocked."""
    planned = plan(site)
    if operation.plan_checksum:
        planned.raise_if_changed(operation.plan_checksum)
    planned.raise_if_unsafe(operation.force)
    raise_if_blocked(preflight(site, planned), operation.force)
    operation.write(plan=planned.as_json())


def _explained(operation: Operation, outcome: Outcome) -> Outcome:
    if isinstance(outcome, provisioning.Waiting) and operation.kind == Operation.Kind.PROVISION:
        return explained_waits(operation, outcome.waits)
    return outcome


def _settle(operation: Operation, outcome: Outcome) -> float | None:
    if isinstance(outcome, provisioning.Failed):
        for each in (outcome.error, *outcome.others):
            tries.note(operation, each)
    match outcome:
        case provisioning.Done():
            _finish(operation)
            return None
        case provisioning.Waiting(waits=waits):
            _mark_live_when_serving(operation.site)
            next_check = min(wait.next_check for wait in waits)
            with transaction.atomic():
                events.waiting(operation, waits)
                operation.release(
                    **({"chosen": ""} if operation.chosen else {}),
                    waits=[wait.as_json() for wait in waits],
                    next_check_at=next_check,
                    attempts=0,
                    error_message="",
                )
            if by_hand.is_asked(operation):
                return 0.0
            return max(0.0, (next_check - timezone.now()).total_seconds())
        case provisioning.Failed(error=error) if error.permanent:
            _fail(operation, Operation.Status.FAILURE, str(error))
            return None
        case provisioning.Failed(error=error):
            return _retry(operation, str(error))


def _finish(operation: Operation) -> None:
    site = operation.site
    with transaction.atomic():
        _held(site)
        operation.release(
            status=Operation.Status.SUCCESS,
            finished_at=timezone.now(),
            waits=[],
            next_check_at=None,
            error_message="",
        )
        if site is not None and operation.kind == Operation.Kind.DESTROY:
            site.delete()
        elif site is not None:
            site.state = Site.State.LIVE
            site.save(update_fields=["state"])
    if site is not None and site.pk:
        site_provisioned.send(sender=Site, site=site)


def _retry(operation: Operation, message: str) -> float | None:
    """Try again later, five times at most without a change in between: a poisoned operation must
    not circle for ever, and a throttled one that gets on is not poisoned."""
    got_on = operation.events.filter(created_at__gt=operation.claimed_at).exists()
    attempts = 1 if got_on else operation.attempts + 1
    if attempts >= MAX_ATTEMPTS:
        _fail(
            operation,
            Operation.Status.NEEDS_ATTENTION,
            f"{message} Stopped after {attempts} attempts.",
        )
        return None
    seconds = float(RETRY_SECONDS * 2 ** (attempts - 1))
    operation.release(
        attempts=attempts,
        error_message=f"{message} It is tried again by itself.",
        next_check_at=timezone.now() + timedelta(seconds=seconds),
    )
    return seconds


def _fail(operation: Operation, status: str, message: str) -> None:
    with transaction.atomic():
        site = operation.site
        _held(site)
        operation.release(
            status=status, error_message=message, finished_at=timezone.now(), next_check_at=None
        )
        OperationEvent.objects.create(operation=operation, message=message)
        if site is not None:
            serves = operation.kind == Operation.Kind.PROVISION and is_serving(site)
            site.state = Site.State.LIVE if serves else Site.State.FAILED
            site.save(update_fields=["state"])
            events.failed(operation, site, message)


@transaction.atomic
def _refuse(operation: Operation, message: str) -> None:
    """Nothing was done, so the site is what it was."""
    _fail(operation, Operation.Status.FAILURE, message)
    site = operation.site
    if site is not None and not site.resources.exists():
        site.state = Site.State.DRAFT
        site.save(update_fields=["state"])


def is_serving(site: Site) -> bool:
    """Whether a visitor gets an answer, at least on the distribution's own name."""
    ready = Resource.objects.filter(site=site, is_ready=True).values_list("logical_id", flat=True)
    return set(ready) >= SERVING


def _mark_live_when_serving(site: Site | None) -> None:
    """A site serves on its distribution's own name while its certificate is still waited for."""
    if site is None or site.state != Site.State.PROVISIONING:
        return
    if is_serving(site):
        site.state = Site.State.LIVE
        site.save(update_fields=["state"])
        site_provisioned.send(sender=Site, site=site)


def _wait_for_account(account: Account, now: datetime) -> provisioning.Waiting:
    return provisioning.Waiting(
        waits=(
            provisioning.Wait(
                what=f"account {account.name}",
                why="Another operation is working on what the account's sites share.",
                since=now,
                next_check=now + timedelta(seconds=2),
            ),
        )
    )
