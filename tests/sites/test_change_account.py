"""Counters in a database that was there already."""

from __future__ import annotations

import uuid
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from sites import counter_database
from sites.models import Account, Site, VisitCursor
from sites.provisioning import Database
from sites.specs import account_spec, site_spec
from tests.factories import AccountFactory, ResourceFactory, SiteFactory

pytestmark = pytest.mark.django_db

HOST = "shared.abc.us-east-1.rds.amazonaws.com"
INSTANCE: dict[str, Any] = {
    "DBInstanceIdentifier": "shared",
    "Engine": "postgres",
    "IAMDatabaseAuthenticationEnabled": True,
    "DbiResourceId": "db-ABC",
    "Endpoint": {"Address": HOST, "Port": 5432},
    "DBSubnetGroup": {"Subnets": [{"SubnetIdentifier": "subnet-1"}]},
    "VpcSecurityGroups": [{"VpcSecurityGroupId": "sg-1"}],
}


@pytest.fixture
def instances(monkeypatch) -> list[dict[str, Any]]:
    """What RDS lists."""
    listed: list[dict[str, Any]] = [{"DBInstanceIdentifier": "creating"}, INSTANCE]
    pages = SimpleNamespace(paginate=lambda: [{"DBInstances": listed}])
    rds = SimpleNamespace(get_paginator=lambda operation: pages)
    clients = SimpleNamespace(rds=rds, region="us-east-1")
    monkeypatch.setattr(counter_database, "clients_for", lambda account: clients)
    return listed


@pytest.fixture
def account() -> Account:
    account: Account = AccountFactory(name="agency")
    return account


@pytest.mark.usefixtures("instances")
def test_a_database_that_is_there_is_used_and_none_is_made(account, capsys):
    site: Site = SiteFactory(account=account, name="shop")
    call_command("change_account", "agency", "--counter-host", HOST, "--counter-database", "app")
    assert "manage.py provision_site shop --wait" in capsys.readouterr().out
    site.account.refresh_from_db()
    database = site_spec(site).database
    assert database == Database(HOST, 5432, "app", "cloudadmin", "db-ABC", ("subnet-1",), ("sg-1",))
    assert not account_spec(site.account).has_database
    call_command("change_account", "agency", "--own-counter")
    site.account.refresh_from_db()
    assert site_spec(site).database is None
    assert account_spec(site.account).has_database


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"Endpoint": {"Address": "elsewhere"}}, "No RDS instance of this account"),
        ({"Engine": "mysql"}, "counters need PostgreSQL"),
        ({"IAMDatabaseAuthenticationEnabled": False}, "--enable-iam-database-authentication"),
    ],
)
def test_what_functions_cannot_use_is_refused(account, instances, changes, reason):
    instances[1] = INSTANCE | changes
    with pytest.raises(CommandError, match=reason):
        call_command("change_account", "agency", "--counter-host", HOST)
    account.refresh_from_db()
    assert account.counter_host == ""


@pytest.mark.usefixtures("instances")
@pytest.mark.parametrize(
    "options",
    [
        ("--counter-host", "postgres://x@y/z"),
        ("--counter-host", ""),
        ("--counter-host", HOST, "--counter-port", "70000"),
    ],
)
def test_what_is_no_address_is_refused(account, options):
    with pytest.raises(CommandError):
        call_command("change_account", "agency", *options)


@pytest.mark.usefixtures("instances")
def test_numbers_do_not_begin_again_unasked(account, capsys):
    site: Site = SiteFactory(account=account, name="shop")
    ResourceFactory(account=account, site=None, logical_id="db_instance", type="db_instance")
    ResourceFactory(site=site, logical_id="counter_schema", type="counter_schema")
    with pytest.raises(CommandError, match=r"begin again at 0.*pg_dump"):
        call_command("change_account", "agency", "--counter-host", HOST)
    call_command("change_account", "agency", "--counter-host", HOST, "--force")
    assert "stays, with what was counted in it" in capsys.readouterr().out
    account.refresh_from_db()
    # It goes with nobody's plan: what it has cannot be counted again.
    assert account_spec(account).has_database


@pytest.mark.usefixtures("instances")
def test_what_was_pulled_of_a_database_is_known_when_it_is_used_again(account):
    own = {"endpoint_address": "own.example", "endpoint_port": 5432}
    ResourceFactory(
        account=account,
        site=None,
        logical_id="db_instance",
        attributes={**own, "database_name": "counter", "user": "cloudadmin"},
    )
    read = {"epoch": uuid.uuid4(), "position": 7, "pulled_at": timezone.now()}
    cursor = VisitCursor.objects.create(account=account, **read)

    call_command("change_account", "agency", "--counter-host", HOST)
    cursor.refresh_from_db()
    assert (cursor.epoch, cursor.position, cursor.pulled_at) == (None, 0, None)
    assert [*cursor.former] == ["own.example:5432/counter"]

    call_command("change_account", "agency", "--own-counter")
    cursor.refresh_from_db()
    assert {name: getattr(cursor, name) for name in read} == read
    assert cursor.former == {}


def test_functions_of_before_are_let_in_until_they_change_over(account):
    site: Site = SiteFactory(account=account)
    ResourceFactory(
        account=account,
        site=None,
        logical_id="db_instance",
        type="db_instance",
        attributes={"endpoint_address": "own.example"},
    )
    ResourceFactory(
        account=account,
        site=None,
        logical_id="security_group",
        type="security_group",
        physical_id="sg-own",
    )
    function = ResourceFactory(
        site=site,
        logical_id="lambda_function",
        type="lambda_function",
        inputs={
            "environment": {"DATABASE_HOST": "own.example"},
            "security_group_ids": ["sg-default"],
        },
    )
    assert account_spec(account).let_in == ("sg-default",)
    function.inputs["security_group_ids"] = ["sg-own"]
    function.save()
    assert account_spec(account).let_in == ()
