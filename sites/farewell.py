"""How a site, or an account's shared stack, leaves AWS: what goes, what stays, and what is left."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import transaction

from sites import accounts
from sites.access import clients_for
from sites.errors import Refused
from sites.models import Account, Operation, Site
from sites.orphans import recorded_certificates
from sites.provisioning import retained as stays
from sites.provisioning.inventory import inventory
from sites.provisioning.retained import Retained
from sites.store import RowStore

if TYPE_CHECKING:
    from django.contrib.auth.models import User

Owner = Account | Site


def going(owner: Owner) -> list[str]:
    """What a destroy deletes, in its order: the type and name of each recorded thing."""
    account = owner.account if isinstance(owner, Site) else owner
    store = RowStore(None, account, owner if isinstance(owner, Site) else None)
    records = reversed(store.records().values())
    return [f"{record.type}  {record.resource.label}" for record in records if record.physical_id]


def retained(site: Site) -> list[Retained]:
    """What stays on AWS when the site is destroyed. Raises ClientError."""
    account, clients = site.account, clients_for(site.account)
    records = RowStore(None, account, site).records()
    shared = RowStore(None, account, None).records()
    others = account.sites.exclude(pk=site.pk).count()
    return [
        *stays.strangers(clients, records),
        *stays.zones(clients, records),
        *stays.shared(shared, account.name, others),
        *stays.snapshots(clients, _database(account)),
    ]


def retained_of_account(account: Account) -> list[Retained]:
    """What stays on AWS when what the account's sites share is destroyed. Raises ClientError."""
    shared = RowStore(None, account, None).records()
    return [
        *stays.final_snapshot(shared),
        *stays.snapshots(clients_for(account), _database(account)),
    ]


def destroy_account(account: Account, creator: User | None = None) -> Operation:
    """Ask for the end of what the account's sites share; its database leaves a final snapshot.

    The caller enqueues ``sites.tasks.run_operation`` after commit. Raises Refused.
    """
    with transaction.atomic():
        raise_if_lived_in(accounts.held(account))
        return accounts.request(account, Operation.Kind.DESTROY, creator)


def raise_if_lived_in(account: Account) -> None:
    """Refuse while the account has sites."""
    if sites := list(account.sites.values_list("name", flat=True)[:3]):
        raise Refused(
            f"Account {account.name} still has sites ({', '.join(sites)}): destroy them first, "
            f"`manage.py destroy_site {sites[0]} --yes`"
        )


def still_there(account: Account, uid: str) -> list[str]:
    """What AWS lists under a uid, after all of it was deleted. Raises ClientError."""
    found = inventory(clients_for(account), recorded_certificates(account), only=uid)
    return [f"{each.type}:{each.physical_id}" for each in found]


def _database(account: Account) -> str:
    return f"cloudadmin-{account.short_uid}"
