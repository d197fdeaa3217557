"""One look at an account: what its own lists say, beside what its rows say."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from django.db.models import Q, QuerySet

from cloudadmin.aws import ClientError, error_code
from sites import provisioning, stacks
from sites.access import clients_for
from sites.errors import Refused
from sites.models import Account, Operation, Resource, Site
from sites.provisioning.costs import Cost, cost_of
from sites.provisioning.inventory import (
    MADE_OF,
    PARTS,
    Found,
    identity,
    inventory,
    owner_in,
    tags_of,
)
from sites.provisioning.resources.base import State
from sites.provisioning.steps import States, known_after
from sites.store import record_of

Owner = Account | Site
Thing = tuple[str, str]  # type and physical id

IN_NO_LIST = frozenset(part for parts in PARTS.values() for part in parts)
# AWS lets them be deleted while something uses them.
UNGUARDED = frozenset({"bucket", "log_group", "role"})


@dataclass(frozen=True)
class Unknown:
    """A thing without a row.

    ``owner`` is None when no row has its uid: it is of another installation, or of a site that is
    gone. ``logical_id`` is its place in its owner's stack, empty when it has none that is free.
    """

    found: Found
    owner: Owner | None
    logical_id: str = ""

    @property
    def id(self) -> str:
        return f"{self.found.type}:{self.found.physical_id}"

    @property
    def cost(self) -> Cost:
        return cost_of(self.found.type)

    @property
    def can(self) -> tuple[str, ...]:
        return ("adopt", "delete") if self.logical_id else ("delete",)

    @property
    def wants_its_name(self) -> bool:
        """Whether it is deleted only when its name is typed."""
        return self.owner is None or self.found.resource.keeps_data

    def as_json(self) -> dict[str, Any]:
        found = self.found
        return {
            "id": self.id,
            "type": found.type,
            "name": found.name,
            "region": found.region,
            "uid": found.owner,
            "site": self.owner.name if isinstance(self.owner, Site) else None,
            "since": found.created.isoformat() if found.created else None,
            "monthly_cost": f"{self.cost.monthly:.2f}",
            "cost_by_use": self.cost.by_use,
            "can": list(self.can),
            "wants_its_name": self.wants_its_name,
        }


@dataclass(frozen=True)
class Gone:
    """A row whose thing is not on AWS: asked for by itself, after no list had it."""

    row: Resource

    @property
    def id(self) -> str:
        return f"{self.row.type}:{self.row.physical_id}"

    def as_json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "type": self.row.type,
            "name": record_of(self.row).resource.label,
            "site": self.row.site.name if self.row.site else None,
            "since": self.row.created_at.isoformat(),
            "can": ["forget"],
        }


class Look:
    """Made anew for each act, so that nobody acts on what was true once. Raises ClientError."""

    def __init__(self, account: Account) -> None:
        self.account = account
        self.clients = clients_for(account)
        self._stacks: dict[str, provisioning.Stack] = {}
        busy, leaving = self._at_work()
        self.found = inventory(self.clients, recorded_certificates(account))
        # After the lists: whatever was made by then has its row, or its intent.
        self.rows = [*_rows_of_aws(account)]
        busy_by_now, leaving_by_now = self._at_work()
        self.busy, self.leaving = busy | busy_by_now, leaving | leaving_by_now

    def unknown(self) -> Iterator[Unknown]:
        """Things without a row."""
        known = {(row.type, row.physical_id) for row in self.rows if row.physical_id}
        intents = {identity(record_of(row).resource) for row in self.rows if not row.physical_id}
        for found in self.found:
            thing = (found.type, found.physical_id)
            if thing in known | self.leaving or identity(found.resource) in intents:
                continue
            uid = self._uid(found)
            owner = self.owners.get(uid)
            if uid and uid not in self.busy and self._is_told_here(owner):
                place = self._place(owner, found) if owner else ""
                yield Unknown(replace(found, owner=uid), owner, place)

    def gone(self) -> Iterator[Gone]:
        """Rows of the account without a thing. The parts of a thing go with it."""
        there = {(found.type, found.physical_id) for found in self.found}
        for row in self.rows:
            is_listed = row.account_id == self.account.pk and row.type not in IN_NO_LIST
            owner = row.site or self.account
            if not is_listed or not row.physical_id or owner.short_uid in self.busy:
                continue
            if (row.type, row.physical_id) not in there and self.is_gone(row):
                yield Gone(row)

    def is_gone(self, row: Resource) -> bool:
        """Asked for by itself: lists trail, and a changed record is in none."""
        return record_of(row).resource.read(self.clients, row.physical_id) is None

    def parts(self, row: Resource) -> list[Resource]:
        """The rows of what belongs to a thing and goes with it."""
        return [
            part
            for part in self.rows
            if part.type in PARTS.get(row.type, ())
            and row.physical_id
            in (part.inputs.get("bucket_name"), part.inputs.get("function_name"))
        ]

    def stack(self, owner: Owner) -> provisioning.Stack:
        """Built once for an owner, however many of its things are looked at."""
        if owner.short_uid not in self._stacks:
            self._stacks[owner.short_uid] = stacks.of(owner)
        return self._stacks[owner.short_uid]

    def states(self, owner: Owner) -> dict[str, State]:
        """What the owner's stack is built from, as far as it is recorded."""
        rows = self._rows_of(owner).items()
        recorded = {name: record_of(row).state for name, row in rows if row.physical_id}
        return {**self.stack(owner).shared, **recorded}

    def raise_if_used(self, orphan: Unknown, chosen: Collection[Unknown]) -> None:
        """Refuse what AWS would not refuse: to take away what another thing needs."""
        going = {each.id for each in chosen} | {f"{kind}:{name}" for kind, name in self.leaving}
        for other in self.found:
            needs = MADE_OF.get(other.type, frozenset()) & UNGUARDED
            user = f"{other.type}:{other.physical_id}"
            if (
                orphan.found.type in needs
                and other.owner == orphan.found.owner
                and user not in going
            ):
                raise Refused(f"{orphan.id} is used by {user}: delete that first, or both at once.")

    @cached_property
    def owners(self) -> dict[str, Owner]:
        """Whose uids our rows know in this AWS account, which several of our accounts may share."""
        number = self.account.aws_account_id
        accounts = Account.objects.filter(aws_account_id=number)
        sites = Site.objects.filter(account__aws_account_id=number).select_related("account")
        owners: list[Owner] = [*accounts, *sites]
        return {owner.short_uid: owner for owner in owners}

    def _is_told_here(self, owner: Owner | None) -> bool:
        """What is of a site of another of our accounts is told there."""
        account = owner.account if isinstance(owner, Site) else owner
        return account is None or account.pk == self.account.pk

    def _uid(self, found: Found) -> str:
        """Whose it is: by its tags where it can have some, else by its name.

        Without tags of ours it is half made, or a stranger's that is named like ours.
        """
        try:
            tags = tags_of(self.clients, found)
        except ClientError as error:
            if error_code(error) in found.resource.not_found | {"NoSuchResource"}:
                return ""  # gone since it was listed
            raise
        if tags is None:
            return found.owner
        return owner_in(tags) or (found.owner if found.owner in self.owners else "")

    def _place(self, owner: Owner, found: Found) -> str:
        """The logical id that the owner's stack has for it, unless another thing has it."""
        states = States(self.states(owner), known_after)
        rows = self._rows_of(owner)
        for step in self.stack(owner).steps:
            if identity(step.build(states)) == identity(found.resource):
                row = rows.get(step.logical_id)
                is_free = row is None or self.is_gone(row)
                return step.logical_id if is_free else ""
        return ""

    def _rows_of(self, owner: Owner) -> dict[str, Resource]:
        site = owner if isinstance(owner, Site) else None
        return {
            row.logical_id: row
            for row in self.rows
            if row.site == site and row.account_id == self.account.pk
        }

    def _at_work(self) -> tuple[set[str], set[Thing]]:
        """The uids that an operation is working for, and the things that one is deleting."""
        number = self.account.aws_account_id
        active = Operation.objects.filter(
            Q(account__aws_account_id=number) | Q(site__account__aws_account_id=number),
            status__in=Operation.ACTIVE,
        ).select_related("site__account", "account")
        busy: set[str] = set()
        leaving: set[Thing] = set()
        for operation in active:
            leaving |= {(each["type"], each["physical_id"]) for each in operation.targets}
            account = operation.account
            if operation.site:
                busy.add(operation.site.short_uid)
                # A wait for somebody's DNS may last days, and touches nothing that is shared.
                account = None if operation.waits else operation.site.account
            if account and operation.kind != Operation.Kind.DELETE:
                busy.add(account.short_uid)
        return busy, leaving


def recorded_certificates(account: Account) -> dict[str, provisioning.Record]:
    """By ARN: what the lists of AWS need not be asked about."""
    rows = _rows_of_aws(account).filter(type="certificate").exclude(physical_id="")
    return {row.physical_id: record_of(row) for row in rows}


def _rows_of_aws(account: Account) -> QuerySet[Resource]:
    """Several of our accounts may be one on AWS, each with a region of its own."""
    rows = Resource.objects.filter(account__aws_account_id=account.aws_account_id)
    return rows.select_related("site")
