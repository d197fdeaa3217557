"""The engine's memory: ``Resource`` rows, written by whoever holds the operation."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db import connection, transaction
from django.db.models import QuerySet
from django.utils import timezone

from cloudadmin.calls import changes_since
from sites import provisioning
from sites.models import Account, Operation, OperationEvent, Resource, Site
from sites.models.lease import LeaseLost
from sites.provisioning.drift import Drift

if TYPE_CHECKING:
    from sites.provisioning.resources.base import Resource as Desired
    from sites.provisioning.resources.base import State


class RowStore:
    """The rows of one stack: a site's, or its account's when ``site`` is None.

    Every write first proves that the operation is still ours, so a worker that was taken for dead
    cannot overwrite what its successor recorded.
    """

    def __init__(
        self,
        operation: Operation | None,
        account: Account,
        site: Site | None,
        leaving: Collection[tuple[str, str]] = (),
    ) -> None:
        """``leaving``: the logical id and path of drift that is not to be put right."""
        self.operation = operation
        self.account = account
        self.site = site
        self.leaving = leaving

    def records(self) -> dict[str, provisioning.Record]:
        rows = [*self._rows()]
        left = {*self.leaving, *_left(rows)}
        return {
            row.logical_id: replace(
                record_of(row),
                left=frozenset(path for name, path in left if name == row.logical_id),
                leaves_drift=self._was_looked_at(row),
                may_go=self._may_go(row),
            )
            for row in rows
        }

    def _was_looked_at(self, row: Resource) -> bool:
        """By this operation already: what differs since was changed on AWS while it ran, and is in
        no plan that was shown."""
        return self.operation is not None and row.read_at >= self.operation.created_at

    def _may_go(self, row: Resource) -> bool:
        """Whether the plan that was checked for this operation deletes it; a destroy has none."""
        if self.operation is None or self.operation.kind != Operation.Kind.PROVISION:
            return True
        changes = self.operation.plan.get("changes", ())
        return ("delete", row.logical_id) in {
            (each["action"], each["logical_id"]) for each in changes
        }

    def intend(self, logical_id: str, resource: Desired) -> int:
        operation = self._prove()
        known = self._rows().filter(logical_id=logical_id, physical_id="").first()
        generation = known.generation if known and known.generation else operation.pk
        self._row(
            logical_id,
            type=resource.type,
            inputs=resource.inputs(),
            physical_id="",
            is_ready=False,
            generation=generation,
        )
        return generation

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
        self._prove()
        self._row(
            logical_id,
            type=resource.type,
            inputs=resource.inputs(),
            physical_id=state.physical_id,
            properties=state.properties,
            attributes=state.attributes,
            aws_status=state.aws_status,
            is_ready=state.ready,
            waiting_for=state.waiting_for,
            todo=state.todo,
            waiting_since=since,
            expires_at=state.expires_at,
            renewal=state.renewal,
            accepted=resource.accepted,
            **({} if resource.held else {"drift": []}),
        )
        self._event(logical_id, event)

    @transaction.atomic
    def hold(self, logical_id: str, drift: Sequence[dict[str, Any]]) -> None:
        self._prove()
        news = self._rows().filter(logical_id=logical_id).exclude(drift=drift)
        if news.update(drift=drift, drift_checked_at=timezone.now()):
            for each in drift:
                self._event(logical_id, f"Left as it is on AWS: {Drift.from_json(each).sentence}")

    @transaction.atomic
    def forget(self, logical_id: str, *, event: str = "") -> None:
        self._prove()
        self._rows().filter(logical_id=logical_id).delete()
        self._event(logical_id, event)

    def _event(self, logical_id: str, message: str) -> None:
        if self.operation is not None and message:
            calls = [
                {"call": each.call, "status": each.status, "request_id": each.request_id}
                for each in changes_since()
            ]
            OperationEvent.objects.create(
                operation=self.operation, logical_id=logical_id, message=message, calls=calls
            )

    def _rows(self) -> QuerySet[Resource]:
        if self.site is not None and self.site._state.adding:
            return Resource.objects.none()  # it is only planned
        return Resource.objects.filter(account=self.account, site=self.site)

    def _row(self, logical_id: str, **values: object) -> None:
        Resource.objects.update_or_create(
            account=self.account, site=self.site, logical_id=logical_id, defaults=values
        )

    def _prove(self) -> Operation:
        if self.operation is None:
            raise LeaseLost("nobody holds this stack; it can only be read")
        self.operation.write(fence=self.operation.fence)
        return self.operation


def record_of(row: Resource) -> provisioning.Record:
    return provisioning.Record(
        type=row.type,
        inputs=row.inputs,
        physical_id=row.physical_id,
        properties=row.properties,
        attributes=row.attributes,
        aws_status=row.aws_status,
        ready=row.is_ready,
        waiting_since=row.waiting_since,
        accepted=row.accepted,
        generation=row.generation,
    )


def _left(rows: Sequence[Resource]) -> Iterator[tuple[str, str]]:
    """The logical id and path of what a person chose to leave, while the operation that it was
    chosen for goes on."""
    chosen = [(row, each) for row in rows for each in row.drift if each.get("is_left")]
    if not chosen:
        return
    operations = {each.get("operation") for _, each in chosen}
    active = Operation.objects.filter(pk__in=operations - {None}, status__in=Operation.ACTIVE)
    pks = set(active.values_list("pk", flat=True))
    for row, each in chosen:
        if each.get("operation") in pks:
            yield row.logical_id, each["path"]


def account_lock(account: Account) -> AbstractContextManager[bool]:
    """Whether the account's shared stack is ours for the block: one worker at a time changes it."""
    return locked("cloudadmin.account", account.pk)


@contextmanager
def locked(name: str, pk: int) -> Iterator[bool]:
    """Whether the lock is ours for the block. PostgreSQL drops it with the connection, so a killed
    worker holds nothing."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(hashtext(%s), %s)", [name, pk])
        (is_ours,) = cursor.fetchone()
        try:
            yield is_ours
        finally:
            if is_ours:
                cursor.execute("SELECT pg_advisory_unlock(hashtext(%s), %s)", [name, pk])
