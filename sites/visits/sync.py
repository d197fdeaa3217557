"""Finds the counter database of an account and pulls it."""

from __future__ import annotations

from collections.abc import Iterator

from sites.access import clients_for
from sites.models import Account, Resource
from sites.provisioning.stack import is_loopback
from sites.visits.pull import CounterDatabase, Pulled, pull


def sync(account: Account) -> Pulled:
    """Pull the account's counters now; an account without counter database has nothing to pull."""
    row = Resource.objects.filter(account=account, site=None, logical_id="db_instance").first()
    if row is None or not row.is_ready:
        return Pulled()
    return pull(account, _database(account, row))


def sync_all() -> Iterator[Pulled]:
    for account in Account.objects.all():
        yield sync(account)


def _database(account: Account, row: Resource) -> CounterDatabase:
    """The password is an IAM token, signed here without a request and good for 15 minutes."""
    at = row.attributes
    token = clients_for(account).rds.generate_db_auth_token(
        DBHostname=at["endpoint_address"], Port=at["endpoint_port"], DBUsername=at["user"]
    )
    return CounterDatabase(
        host=at["endpoint_address"],
        port=at["endpoint_port"],
        name=at["database_name"],
        user=at["user"],
        password=token,
        tls="disable" if is_loopback(at["endpoint_address"]) else "require",
    )
