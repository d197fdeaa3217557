"""Operations on an account itself: on what its sites share, and on what is left without a row.

What shall be deleted is written down in the operation, so whoever carries it on knows the rest.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from sites import provisioning
from sites.errors import Refused
from sites.models import Account, Operation, OperationEvent, Resource, Site
from sites.provisioning.inventory import Found, identity, stack_of
from sites.provisioning.outcomes import Outcome
from sites.store import record_of

if TYPE_CHECKING:
    from django.contrib.auth.models import User

    from cloudadmin.aws import Clients
    from sites.provisioning.resources.base import Resource as Desired
    from sites.provisioning.resources.base import State


@transaction.atomic
def request(
    account: Account, kind: str, creator: User | None = None, found: Iterable[Found] = ()
) -> Operation:
    """Ask for an operation. The caller enqueues ``sites.tasks.run_operation`` after commit.

    One of the same kind that only waits is carried on by the new one. Raises Refused.
    """
    held(account)
    targets = [*_take_over(account, kind), *map(_target, found)]
    try:
        with transaction.atomic():
            return Operation.objects.create(
                account=account,
                site_name=f"account {account.name}",
                kind=kind,
                creator=creator,
                targets=[*{_key(target): target for target in targets}.values()],
            )
    except IntegrityError as error:
        raise Refused(
            f"Account {account.name} is being worked on right now; try again in a few seconds.",
            try_again=True,
        ) from error


def is_being_destroyed(account: Account) -> bool:
    return account.operations.filter(
        kind=Operation.Kind.DESTROY, status__in=Operation.ACTIVE
    ).exists()


def held(account: Account) -> Account:
    """Its row, locked to the end of the transaction: what is asked of an account, and of the sites
    on it, is asked one after the other.

    Locked after a site, and its operation, and before an account's: another order would be a
    deadlock.
    """
    return Account.objects.select_for_update(no_key=True).get(pk=account.pk)


def raise_if_deleting(account: Account, owner: Account | Site) -> None:
    """Refuse while things without a row that are the owner's, or shared, are being deleted."""
    uids = {account.short_uid, owner.short_uid}
    for operation in account.operations.filter(
        kind=Operation.Kind.DELETE, status__in=Operation.ACTIVE
    ):
        left = {each.get("owner") for each in operation.targets if not each.get("gone")}
        if left & uids:
            raise Refused(
                f"Things of {owner} that have no row are being deleted; try again when that is "
                "done.",
                try_again=True,
            )


def _at_work(account: Account) -> set[str]:
    """The uids that the operations of the account's sites are working for."""
    active = Operation.objects.filter(site__account=account, status__in=Operation.ACTIVE)
    operations = list(active.select_related("site"))
    uids = {operation.site.short_uid for operation in operations if operation.site}
    # A wait for somebody's DNS may last days, and touches nothing that is shared.
    is_shared = any(not operation.waits for operation in operations)
    return uids | {account.short_uid} if is_shared else uids


def _take_over(account: Account, kind: str) -> list[Any]:
    """The targets that operations which only wait have left; whoever held one is fenced off."""
    waiting = Operation.unclaimed().filter(account=account, kind=kind, status__in=Operation.ACTIVE)
    rows = list(waiting.select_for_update())
    waiting.filter(pk__in=[row.pk for row in rows]).update(
        status=Operation.Status.INACTIVE,
        finished_at=timezone.now(),
        waits=[],
        fence=F("fence") + 1,
    )
    return [target for row in rows for target in row.targets if not target.get("gone")]


def _target(found: Found) -> dict[str, Any]:
    return {
        "type": found.type,
        "physical_id": found.physical_id,
        "inputs": found.resource.inputs(),
        "owner": found.owner,
    }


def _key(target: dict[str, Any]) -> tuple[str, str]:
    return target["type"], target["physical_id"]


def _number(logical_id: str) -> int:
    """The place among the targets of what ``TargetStore.records`` named so."""
    return int(logical_id.rpartition(".")[2]) - 1


def delete_targets(operation: Operation, clients: Clients, now: datetime) -> Outcome:
    """One pass over what is to be deleted, each in its turn."""
    store = TargetStore(operation)
    store.leave_adopted()
    records = store.records()
    stack = stack_of({name: record.resource for name, record in records.items()})
    return provisioning.destroy(stack, clients, store, now=now)


class TargetStore:
    """The engine's memory of an operation that deletes: its own targets, and no rows."""

    def __init__(self, operation: Operation) -> None:
        self.operation = operation

    def records(self) -> dict[str, provisioning.Record]:
        return {
            f"{target['type']}.{number}": provisioning.Record(
                type=target["type"],
                inputs=target["inputs"],
                physical_id=target["physical_id"],
                aws_status=target.get("aws_status", ""),
                waiting_since=parse_datetime(target.get("waiting_since", "")),
            )
            for number, target in enumerate(self.operation.targets, start=1)
            if not target.get("gone")
        }

    def leave_adopted(self) -> None:
        """What a provisioning has taken as its own meanwhile, or is about to, is not ours to
        delete any more."""
        account = self.operation.account
        busy = _at_work(account) if account else set()
        ids = [target["physical_id"] for target in self.operation.targets]
        rows = Resource.objects.filter(physical_id__in=ids).values_list("type", "physical_id")
        adopted = set(rows)
        # The intent of another of our accounts counts as well, as those may be one on AWS.
        intents = {
            identity(record_of(row).resource) for row in Resource.objects.filter(physical_id="")
        }
        for name, record in self.records().items():
            is_recorded = (record.type, record.physical_id) in adopted
            if is_recorded or identity(record.resource) in intents:
                self.forget(name, event=f"{record.resource.label} has an owner now: left alone")
            elif self.operation.targets[_number(name)].get("owner") in busy:
                event = f"{record.resource.label}: its owner is being worked on: left alone"
                self.forget(name, event=event)

    def intend(self, logical_id: str, resource: Desired) -> int:
        raise LookupError(f"{logical_id}: nothing is created while things are deleted")

    def hold(self, logical_id: str, drift: Sequence[dict[str, Any]]) -> None:
        raise LookupError(f"{logical_id}: what is deleted has no drift")

    @transaction.atomic
    def record(
        self,
        logical_id: str,
        resource: Desired,
        state: State,
        *,
        since: datetime | None,
        event: str = "",
    ) -> None:
        waiting_since = since.isoformat() if since else ""
        self._note(logical_id, event, waiting_since=waiting_since, aws_status=state.aws_status)

    @transaction.atomic
    def forget(self, logical_id: str, *, event: str = "") -> None:
        self._note(logical_id, event, gone=True)

    def _note(self, logical_id: str, event: str, **changes: Any) -> None:
        number = _number(logical_id)
        targets = [*self.operation.targets]
        targets[number] = targets[number] | changes
        self.operation.write(targets=targets)
        if event:
            OperationEvent.objects.create(
                operation=self.operation, logical_id=logical_id, message=event
            )
