"""What is on AWS in our name and in no row, and rows whose thing is gone.

Nothing is touched unasked. Every act is an ``Operation`` with its line of history, as is whatever
else is done to a site; Django's log of the admin would not know of the command line.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from shlex import quote
from typing import TYPE_CHECKING, Any, TypeVar

from django.db import IntegrityError, transaction
from django.utils import timezone

from sites import accounts
from sites.errors import Refused
from sites.models import Account, Operation, Resource, Site
from sites.orphans.look import Gone, Look, Owner, Unknown
from sites.provisioning.errors import NotYet
from sites.provisioning.steps import States, not_yet
from sites.store import RowStore

if TYPE_CHECKING:
    from django.contrib.auth.models import User

    from sites.provisioning.resources.base import Resource as Desired

Orphan = TypeVar("Orphan", Unknown, Gone)


@dataclass(frozen=True)
class Orphans:
    """``of_others`` are of another installation, or of a site that is gone."""

    unknown: tuple[Unknown, ...]
    of_others: tuple[Unknown, ...]
    gone: tuple[Gone, ...]

    def as_json(self) -> dict[str, Any]:
        return {
            "unknown": [each.as_json() for each in self.unknown],
            "of_others": [each.as_json() for each in self.of_others],
            "gone": [each.as_json() for each in self.gone],
        }


def of_account(account: Account) -> Orphans:
    """Look now. What belongs to a site that is being worked on is no orphan. Raises ClientError."""
    look = Look(account)
    unknown = sorted(look.unknown(), key=lambda each: each.id)
    return Orphans(
        unknown=tuple(each for each in unknown if each.owner),
        of_others=tuple(each for each in unknown if not each.owner),
        gone=tuple(look.gone()),
    )


def adopt(account: Account, thing: str, creator: User | None = None) -> Resource:
    """Write the row of an orphan by its id, as a look at it through its owner's stack tells it.

    Nothing is changed on AWS; a plan shows what a provisioning would. Raises Refused.
    """
    look = Look(account)
    (orphan,) = _picked([thing], look.unknown(), account)
    owner = orphan.owner
    if owner is None or not orphan.logical_id:
        raise Refused(
            f"No site has a place for {orphan.id}, so it cannot be adopted. It can be deleted: "
            f"`manage.py find_orphans {quote(account.name)} --delete {orphan.id} --yes`"
        )
    resource = _as_wanted(look, orphan, owner)
    state = resource.read(look.clients, orphan.found.physical_id)
    if state is None or state.physical_id != orphan.found.physical_id:
        raise Refused(f"{orphan.id} is not there any more.", try_again=True)
    if resource.belongs_to_another(state, is_recorded=False):
        raise Refused(f"{orphan.id} is not ours: its tags name another owner, or none.")
    now = timezone.now()
    with _recorded(Operation.Kind.ADOPT, account, owner, creator) as operation:
        if isinstance(owner, Site):  # of an account there is one operation at a time anyhow
            accounts.raise_if_deleting(accounts.held(account), owner)
        store = RowStore(operation, account, owner if isinstance(owner, Site) else None)
        store.record(
            orphan.logical_id,
            resource,
            state,
            since=None if state.ready else now,
            event=f"Adopted {orphan.id}, which was on AWS without a row.",
        )
    return Resource.objects.get(account=account, site=store.site, logical_id=orphan.logical_id)


def forget(account: Account, thing: str, creator: User | None = None) -> list[str]:
    """Remove the row of a thing that is gone, and the rows of its parts: their logical ids.

    Nothing is changed on AWS. Raises Refused.
    """
    look = Look(account)
    (gone,) = _picked([thing], look.gone(), account)
    row = gone.row
    parts = [part for part in look.parts(row) if look.is_gone(part)]
    with _recorded(Operation.Kind.FORGET, account, row.site or account, creator) as operation:
        store = RowStore(operation, account, row.site)
        for each in (row, *parts):
            # As it was seen: not one that was made again meanwhile.
            if Resource.objects.filter(pk=each.pk, physical_id=each.physical_id).exists():
                message = f"Forgot {each.type} {each.physical_id}, which is gone from AWS."
                store.forget(each.logical_id, event=message)
    return [each.logical_id for each in (row, *parts)]


def delete(
    account: Account,
    things: Sequence[str],
    names: Collection[str] = (),
    creator: User | None = None,
) -> Operation:
    """Ask for the deletion of orphans by their ids, each by its own type's delete, in order.

    ``names`` are the typed names of those that want it. The caller enqueues
    ``sites.tasks.run_operation`` after commit. Raises Refused.
    """
    look = Look(account)
    orphans = _picked(things, look.unknown(), account)
    for orphan in orphans:
        if orphan.wants_its_name and orphan.found.name not in names:
            keeps = orphan.found.resource.keeps_data
            why = "It keeps data" if keeps else "It may be of another installation of cloudadmin"
            raise Refused(f"{why}: type its name to delete it, {orphan.found.name}")
        look.raise_if_used(orphan, orphans)
    found = [orphan.found for orphan in orphans]
    return accounts.request(account, Operation.Kind.DELETE, creator, found)


def _picked(things: Sequence[str], orphans: Iterable[Orphan], account: Account) -> list[Orphan]:
    """Those with these ids: in full, or the physical id alone where one thing has it."""
    there = list(orphans)
    picked = []
    for thing in things:
        fitting = [each for each in there if thing in (each.id, each.id.partition(":")[2])]
        if not fitting:
            raise Refused(
                f"There is no such orphan in account {account.name}: {thing}. "
                f"`manage.py find_orphans {quote(account.name)}` lists them; what belongs to a "
                "site that is being worked on is not among them."
            )
        if len(fitting) > 1:
            raise Refused(f"{thing} may be {' or '.join(each.id for each in fitting)}: say which.")
        picked += fitting
    return picked


def _as_wanted(look: Look, orphan: Unknown, owner: Owner) -> Desired:
    """As the owner's stack describes it."""
    states = States(look.states(owner), not_yet)
    for step in look.stack(owner).steps:
        if step.logical_id == orphan.logical_id:
            try:
                return step.build(states)
            except NotYet as error:
                raise Refused(
                    f"{orphan.id} is made of {error.logical_id}, which has no row, or is not "
                    "ready. Adopt that first, or provision the site: that makes what is missing."
                ) from error
    raise Refused(f"{orphan.id} has no place in {owner} any more.", try_again=True)


@contextmanager
def _recorded(
    kind: str, account: Account, owner: Owner, creator: User | None
) -> Iterator[Operation]:
    """An operation that is over when the block is, all in one commit; nobody else's may run."""
    site = owner if isinstance(owner, Site) else None
    with transaction.atomic():
        try:
            with transaction.atomic():
                operation = Operation.objects.create(
                    site=site,
                    account=None if site else account,
                    site_name=site.name if site else f"account {account.name}",
                    kind=kind,
                    creator=creator,
                )
        except IntegrityError as error:
            raise Refused(
                f"{owner} is being worked on right now; try again in a few seconds.",
                try_again=True,
            ) from error
        yield operation
        operation.write(status=Operation.Status.SUCCESS, finished_at=timezone.now())
