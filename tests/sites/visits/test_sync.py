from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from unittest import mock

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from cloudadmin.aws import BotoCoreError
from sites import tasks
from sites.access import clients_for
from sites.models import VisitCursor
from sites.store import locked
from sites.visits import partitions, sync
from sites.visits.pull import Pulled
from tests.factories import AccountFactory, ResourceFactory, VisitDayFactory


@pytest.fixture
def pulled(monkeypatch):
    """What every sync answers, and the accounts that were asked for."""
    fake = mock.create_autospec(sync.sync, return_value=Pulled(rows=3))
    monkeypatch.setattr("sites.tasks.sync", fake)
    monkeypatch.setattr("sites.management.commands.sync_visits.sync", fake)
    return fake


def test_beat_has_every_account_pulled_by_itself(db, pulled):
    accounts = [AccountFactory(), AccountFactory()]
    sent = []
    with mock.patch.object(
        tasks.sync_visits_of_account,
        "apply_async",
        autospec=True,
        side_effect=lambda arguments, **options: sent.append((arguments, options)),
    ):
        tasks.sync_visits()

    assert sent == [((account.pk,), {"expires": 30.0}) for account in accounts]
    for arguments, _ in sent:
        tasks.sync_visits_of_account(*arguments)
    assert [call.args for call in pulled.call_args_list] == [(account,) for account in accounts]
    tasks.sync_visits_of_account(0)  # gone meanwhile


@pytest.mark.django_db(transaction=True)
def test_no_worker_waits_for_a_pull_that_takes_long(pulled, monkeypatch):
    pruned = mock.create_autospec(sync.prune, return_value=0)
    monkeypatch.setattr("sites.tasks.prune", pruned)
    account = AccountFactory()

    def beat() -> None:
        try:
            tasks.sync_visits_of_account(account.pk)
            tasks.prune_visits_of_account(account.pk)
        finally:
            connection.close()

    with locked(tasks.BEING_PULLED, account.pk), ThreadPoolExecutor(1) as pool:
        pool.submit(beat).result()
    assert not pulled.called
    assert not pruned.called

    tasks.sync_visits_of_account(account.pk)
    tasks.prune_visits_of_account(account.pk)
    assert pulled.called
    assert pruned.called


def test_credentials_that_do_not_work_are_told(site, monkeypatch):
    refusing = mock.create_autospec(clients_for, side_effect=BotoCoreError())
    monkeypatch.setattr("sites.visits.sync.clients_for", refusing)
    ResourceFactory(
        site=None,
        account=site.account,
        logical_id="db_instance",
        attributes={"endpoint_address": "127.0.0.1", "endpoint_port": 1, "user": "cloudadmin"},
    )

    error = sync.sync(site.account).error

    assert "AWS did not let us in to read the counters" in error
    assert VisitCursor.objects.get().error_message == error


def test_the_command_tells_rows_and_remembers_the_reader(site, pulled, capsys):
    VisitDayFactory(site=site, pageviews=7)

    call_command("sync_visits", site.name, reader="invoked")

    assert "3 rows changed" in capsys.readouterr().out
    assert VisitCursor.objects.get(account=site.account).reader == "invoked"


def test_the_command_tells_why_nothing_was_pulled(site, pulled):
    pulled.return_value = Pulled(error="It is away.")

    with pytest.raises(CommandError, match="It is away.") as refused:
        call_command("sync_visits")
    assert refused.value.returncode == 75


def test_the_tidying_task_makes_the_next_month(db):
    tasks.tidy_visits()

    assert len(partitions.existing()) >= 2
