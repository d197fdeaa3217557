"""Finds the ways to the counter database of an account and pulls it."""

from __future__ import annotations

from datetime import UTC, datetime

from cloudadmin.aws import BotoCoreError, ClientError
from sites import counter_database
from sites.access import clients_for
from sites.models import Account, Resource, VisitCursor
from sites.provisioning.stack import is_loopback
from sites.visits.pull import Pulled, not_pulled, pull
from sites.visits.readers import (
    PRUNED,
    CounterDatabase,
    Direct,
    Invoked,
    Mark,
    Reader,
    Unreadable,
)
from sites.visits.retention import spent

# One function may be broken, or busy; that all are is told.
FUNCTIONS_TRIED = 2
# Of pruning in one go.
STEPS = 50


def sync(account: Account) -> Pulled:
    """Pull the account's counters now; an account without counter database has nothing to pull."""
    try:
        database = _database(account)
        readers = _readers(account, database) if database else []
    except (BotoCoreError, ClientError) as error:
        return not_pulled(
            account,
            f"AWS did not let us in to read the counters: {error}."
            " See whether the account's role still trusts this installation.",
        )
    return pull(account, readers) if readers else Pulled()


def prune(account: Account) -> int:
    """Once a day: have the counter database let go of hours that are old and were pulled; how many
    keys went.

    A database that is away, or a function that does not know how, is asked again in an hour.
    """
    today = datetime.now(UTC).date()
    cursor = VisitCursor.objects.filter(account=account, epoch__isnull=False).first()
    if cursor is None or cursor.pruned_on == today:
        return 0
    try:
        database = _database(account)
        readers = _readers(account, database) if database else []
    except (BotoCoreError, ClientError):
        return 0
    read, gone = Mark(cursor.epoch, cursor.position), 0
    for reader in readers:
        try:
            for span in spent(today):
                for _ in range(STEPS):
                    pruned = reader.prune(read, span)
                    gone += pruned
                    if pruned < PRUNED:
                        break
                else:
                    return gone  # and on with it in an hour
        except Unreadable:
            continue
        VisitCursor.objects.filter(pk=cursor.pk).update(pruned_on=today)
        break
    return gone


def _readers(account: Account, database: CounterDatabase) -> list[Reader]:
    """First the one that could read the last time."""
    functions = Resource.objects.filter(
        account=account, logical_id="lambda_function", is_ready=True
    )
    if account.counter_host:  # one that has not changed over counts elsewhere
        functions = functions.filter(inputs__environment__DATABASE_HOST=account.counter_host)
    client = clients_for(account).lambda_
    readers: list[Reader] = [
        Direct(database),
        *(
            Invoked(client, function.physical_id)
            for function in functions.order_by("-pk")[:FUNCTIONS_TRIED]
        ),
    ]
    cursor = VisitCursor.objects.filter(account=account).first()
    return sorted(readers, key=lambda reader: cursor is not None and reader.name != cursor.reader)


def _database(account: Account) -> CounterDatabase | None:
    """The password is an IAM token, signed here without a request and good for 15 minutes."""
    at = counter_database.reached(account)
    if at is None:
        return None
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
