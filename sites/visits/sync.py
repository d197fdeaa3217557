"""Finds the ways to the counter database of an account and pulls it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from django.db.models import F, QuerySet, Window
from django.db.models.fields.json import KT
from django.db.models.functions import RowNumber

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

if TYPE_CHECKING:
    from mypy_boto3_rds import RDSClient

# Of each version of the code. One function may be broken, or busy, and all of an old version may
# not know how; that all are is told.
FUNCTIONS_TRIED = 2
# Of pruning in one go.
STEPS = 50


def sync(account: Account) -> Pulled:
    """Pull the account's counters now; an account without counter database has nothing to pull.

    Sites change over to another database when they are provisioned: until then the one that they
    count in is read too.
    """
    try:
        readers, *_ = ways = _ways(account)
    except (BotoCoreError, ClientError) as error:
        return not_pulled(
            account,
            f"AWS did not let us in to read the counters: {error}."
            " See whether the account's role still trusts this installation.",
        )
    return pull(account, *ways) if readers else Pulled()


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
        readers, _ = _ways(account)
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


def _ways(account: Account) -> tuple[list[Reader], dict[str, list[Reader]]]:
    """The readers of the account's database, and of others in which sites still count by address;
    first each that reads as the last one that could.
    """
    at = counter_database.reached(account)
    if at is None:
        return [], {}
    rds, client = clients_for(account).rds, clients_for(account).lambda_
    own = counter_database.address(at)
    found: dict[str, list[Reader]] = {own: [Direct(_database(rds, at))]}
    for function in _functions(account):
        at = counter_database.of_function(function)
        address = counter_database.address(at)
        if address not in found:
            found[address] = [Direct(_database(rds, at))]
        found[address].append(Invoked(client, function.physical_id))
    cursor = VisitCursor.objects.filter(account=account).first()
    for readers in found.values():
        readers.sort(key=lambda reader: cursor is not None and reader.name != cursor.reader)
    return found.pop(own), found


def _functions(account: Account) -> QuerySet[Resource]:
    """The newest few of each database and version of the code."""
    names = ("HOST", "PORT", "NAME")
    same = [KT(f"inputs__environment__DATABASE_{name}") for name in names]
    number = Window(
        RowNumber(),
        partition_by=[*same, KT("inputs__code_sha256")],
        order_by=[F("is_ready").desc(), F("pk").desc()],
    )
    functions = Resource.objects.filter(account=account, logical_id="lambda_function")
    made = functions.exclude(physical_id="").annotate(number=number)
    return made.filter(number__lte=FUNCTIONS_TRIED).order_by("-pk")


def _database(rds: RDSClient, at: dict[str, Any]) -> CounterDatabase:
    """The password is an IAM token, signed here without a request and good for 15 minutes."""
    token = rds.generate_db_auth_token(
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
