"""Where the sites of an account count: a database that is made for them, or one that is there."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction

from cloudadmin.aws import Clients
from sites.access import clients_for
from sites.errors import Refused
from sites.models import Account, Resource, Site, VisitCursor
from sites.provisioning.resources.db_instance import security_groups_of
from sites.specs import existing_database, own_database

NAMES = ("counter_host", "counter_port", "counter_database", "counter_user")


def use(account: Account, host: str, port: int, database: str, user: str, *, force: bool) -> None:
    """Have the counters use this one, from each site's next provisioning on; an empty host is the
    account's own again.

    Raises Refused when it is not one that functions can reach and sign in to, and, unless forced,
    when the numbers on pages would begin again at 0. What counts where it did is read on.
    """
    values = dict(zip(NAMES, (host, port, database, user), strict=True))
    if all(getattr(account, name) == value for name, value in values.items()):
        return
    before = reached(account)
    for name, value in values.items():
        setattr(account, name, value)
    try:
        account.full_clean()
    except ValidationError as error:
        raise Refused(" ".join(error.messages)) from error
    instance = _look_up(clients_for(account), host) if host else {}
    counting = Site.objects.filter(account=account, resources__type="counter_schema").distinct()
    if not force and counting.exists():
        names = ", ".join(counting.values_list("name", flat=True)[:5])
        raise Refused(
            f"{counting.count()} sites count elsewhere already ({names}): the numbers on their "
            "pages would begin again at 0, though no statistics are lost. Take them along with "
            "`pg_dump` and `psql`, as the guide has it under “A database that is there already”; "
            "then, or when they may begin again, repeat this with --force."
        )
    account.counter_instance = instance
    with transaction.atomic():
        cursor = VisitCursor.objects.select_for_update(no_key=True).filter(account=account).first()
        account.save(update_fields=[*NAMES, "counter_instance"])
        if cursor and before:
            after = reached(account)
            cursor.change_over(address(before), address(after) if after else "")
            cursor.save()


def reached(account: Account) -> dict[str, Any] | None:
    """Where its sites count, in the words of ``DbInstance``'s attributes; None while nowhere."""
    if database := existing_database(account):
        return database.attributes
    row = own_database(account)
    attributes: dict[str, Any] | None = row.attributes if row and row.is_ready else None
    return attributes


def of_function(function: Resource) -> dict[str, Any]:
    """Where a counter function counts, in the same words."""
    environment = function.inputs["environment"]
    return {
        "endpoint_address": environment["DATABASE_HOST"],
        "endpoint_port": int(environment["DATABASE_PORT"]),
        "database_name": environment["DATABASE_NAME"],
        "user": environment["DATABASE_USER"],
    }


def address(at: dict[str, Any]) -> str:
    return "{endpoint_address}:{endpoint_port}/{database_name}".format_map(at)


def left_behind(account: Account) -> str:
    """What stays of the account's own database while another one is used; empty for nothing."""
    row = own_database(account)
    if not account.counter_host or row is None:
        return ""
    return (
        f"The database {row.physical_id} stays, with what was counted in it, and costs on. When "
        "every site is provisioned anew and nobody needs it, delete it in RDS; "
        f"`manage.py find_orphans {account.name} --forget db_instance:{row.physical_id}` then "
        "forgets it here."
    )


def _look_up(clients: Clients, host: str) -> dict[str, Any]:
    """What a function needs besides the address. Raises Refused."""
    pages = clients.rds.get_paginator("describe_db_instances").paginate()
    found: list[Any] = [
        instance
        for page in pages
        for instance in page["DBInstances"]
        if instance.get("Endpoint", {}).get("Address") == host
    ]
    if not found:
        raise Refused(
            f"No RDS instance of this account has the endpoint “{host}” in {clients.region}. "
            "`aws rds describe-db-instances` lists them."
        )
    instance = found[0]
    name = instance["DBInstanceIdentifier"]
    if "postgres" not in instance["Engine"]:
        raise Refused(f"{name} is {instance['Engine']}; counters need PostgreSQL.")
    if not instance["IAMDatabaseAuthenticationEnabled"]:
        raise Refused(
            f"{name} knows no IAM authentication, which functions sign in with. `aws rds "
            f"modify-db-instance --db-instance-identifier {name} "
            "--enable-iam-database-authentication --apply-immediately` turns it on."
        )
    return {
        "resource_id": instance["DbiResourceId"],
        "subnet_ids": [
            subnet["SubnetIdentifier"]
            for subnet in instance.get("DBSubnetGroup", {}).get("Subnets", [])
        ],
        "security_group_ids": security_groups_of(instance),
    }
