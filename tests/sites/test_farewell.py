"""Sites and accounts that leave AWS: nothing unsaid, nothing half-done."""

from __future__ import annotations

import json
from datetime import timedelta
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from cloudadmin.aws import Clients
from sites import accounts, farewell, operations, stacks
from sites.errors import Refused
from sites.models import Account, Operation, Site
from sites.provisioning.resources import Bucket
from sites.provisioning.resources import bucket as bucket_module
from tests.factories import OperationFactory, SiteFactory
from tests.fakes import Killed
from tests.sites.cloud import live_site, run
from tests.sites.provisioning.conftest import package

pytestmark = pytest.mark.django_db

Kind, Status = Operation.Kind, Operation.Status


@pytest.fixture
def counted(account: Account, tmp_path: Path, monkeypatch) -> Site:
    """A site with a counter, and so an account with a database."""
    monkeypatch.setattr(stacks, "counter_package", lambda: package(tmp_path))
    return live_site(account, has_counter=True)


def command(name: str, *arguments: str) -> str:
    out = StringIO()
    call_command(name, *arguments, stdout=out)
    return out.getvalue()


def refused(name: str, *arguments: str) -> str:
    """What it says on stdout, when it refuses for want of --yes."""
    out = StringIO()
    with pytest.raises(CommandError, match="--yes"):
        call_command(name, *arguments, stdout=out)
    return out.getvalue()


def test_the_last_site_and_then_its_account(account: Account, counted: Site, aws: Clients):
    told = refused("destroy_site", counted.name)
    assert f"- bucket  cloudadmin-{counted.short_uid}" in told
    assert "No site needs it any more" in told
    assert "$13.98 a month" in told
    assert Site.objects.filter(pk=counted.pk).exists()
    assert "still has sites" in said(lambda: farewell.destroy_account(account))

    answer = json.loads(command("destroy_site", counted.name, "--yes", "--json"))
    assert (answer["destroyed"], answer["still_there"]) == (True, [])
    assert [each["monthly_cost"] for each in answer["stays"]] == ["13.98"]
    assert not Site.objects.filter(pk=counted.pk).exists()

    preview = json.loads(refused("destroy_account", account.name, "--json"))
    assert f"db_instance  cloudadmin-{account.short_uid}" in preview["goes"]
    (snapshot,) = preview["stays"]
    assert "$0.095" in snapshot["cost_by_use"]

    told = command("destroy_account", account.name, "--yes")
    assert snapshot["what"] in told
    assert "AWS still lists" not in told
    assert not account.resources.exists()
    assert farewell.still_there(account, account.short_uid) == []
    operation = Operation.objects.get(account=account)
    assert (str(operation), operation.status) == (
        f"Destroy account {account.name}",
        Status.SUCCESS,
    )
    aws.rds.delete_db_snapshot(DBSnapshotIdentifier=snapshot["what"].rpartition(" ")[2])


def said(call) -> str:
    with pytest.raises(Refused) as refusal:
        call()
    return str(refusal.value)


def test_a_destroy_that_is_killed_goes_on(account: Account, aws: Clients, monkeypatch):
    site = live_site(account)
    name = site.resources.get(logical_id="bucket").physical_id
    for key in "abcd":
        aws.s3.put_object(Bucket=name, Key=key, Body=b"x")
    operation = operations.request(site, Kind.DESTROY)
    monkeypatch.setattr(bucket_module, "PAGES_PER_PASS", 1)
    delete_page = Bucket._delete_page

    def killed(*arguments) -> bool:
        delete_page(*arguments)
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(Bucket, "_delete_page", killed)
        with pytest.raises(Killed):
            run(operation)
    Operation.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    assert operations.due() == [operation.pk]
    assert run(operation).status == Status.SUCCESS
    assert farewell.still_there(account, site.short_uid) == []


def test_nothing_is_provisioned_while_the_account_leaves(account: Account):
    site = SiteFactory(account=account)
    accounts.request(account, Kind.DESTROY)
    assert "being destroyed" in said(lambda: operations.request(site, Kind.PROVISION))


def test_an_account_is_not_destroyed_under_a_site_that_came_meanwhile(account: Account):
    operation = farewell.destroy_account(account)
    SiteFactory(account=account)
    assert run(operation).status == Status.FAILURE
    assert "still has sites" in operation.error_message


def test_one_operation_of_an_account_at_a_time(account: Account):
    first = accounts.request(account, Kind.DESTROY)
    again = accounts.request(account, Kind.DESTROY)
    first.refresh_from_db()
    assert first.status == Status.INACTIVE
    assert again.claim()
    assert "worked on" in said(lambda: accounts.request(account, Kind.DESTROY))
    assert "worked on" in said(lambda: accounts.request(account, Kind.DELETE))


def test_a_worker_that_held_a_superseded_one_is_fenced_off(account: Account):
    held = accounts.request(account, Kind.DESTROY)
    accounts.request(account, Kind.DESTROY)
    assert not held.claim(status=Status.IN_PROGRESS)


def test_an_operation_without_site_and_account_is_over(account: Account):
    operation = OperationFactory(site=None, site_name="gone")
    assert run(operation).status == Status.SUCCESS
