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
from sites.models import Account, Operation, OperationEvent, Resource
from sites.provisioning.inventory import Found, stack_of
from sites.provisioning.outcomes import Outcome

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
    }


def _key(target: dict[str, Any]) -> tuple[str, str]:
    return target["type"], target["physical_id"]


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
        """What a provisioning has taken as its own meanwhile is not ours to delete any more."""
        ids = [target["physical_id"] for target in self.operation.targets]
        rows = Resource.objects.filter(physical_id__in=ids).values_list("type", "physical_id")
        adopted = set(rows)
        for name, record in self.records().items():
            if (record.type, record.physical_id) in adopted:
                self.forget(name, event=f"{record.resource.label} has an owner now: left alone")

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
        number = int(logical_id.rpartition(".")[2])
        targets = [*self.operation.targets]
        targets[number - 1] = targets[number - 1] | changes
        self.operation.write(targets=targets)
        if event:
            OperationEvent.objects.create(
                operation=self.operation, logical_id=logical_id, message=event
            )
