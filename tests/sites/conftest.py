"""An account whose AWS is the emulator."""

from __future__ import annotations

import pytest
from botocore.retries.standard import ExponentialBackoff

from cloudadmin.aws import Clients
from sites import access, tasks
from sites.models import Account, Operation
from tests.factories import AccountFactory
from tests.localcloud import http
from tests.sites.cloud import clients_at, run


@pytest.fixture(scope="module")
def emulator(ministack: str) -> str:
    """Its endpoint URL. It is empty, for what other tests left makes every list longer."""
    http.post(f"{ministack}/_ministack/reset").raise_for_status()
    return ministack


@pytest.fixture(scope="module")
def aws(emulator: str) -> Clients:
    return clients_at(emulator)


@pytest.fixture
def shared_clients(monkeypatch: pytest.MonkeyPatch) -> None:
    """Accounts have clients by their endpoint alone."""
    monkeypatch.setattr(access, "_clients", lambda wanted, *_: clients_at(wanted.endpoint_url))


@pytest.fixture
def sent_again_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK makes no pause before it sends a call again."""
    monkeypatch.setattr(ExponentialBackoff, "delay_amount", lambda *_: 0)


@pytest.fixture
def on_emulator(
    emulator: str, shared_clients: None, monkeypatch: pytest.MonkeyPatch, settings
) -> None:
    """What is asked for is run at once, to its end."""
    settings.AWS_ENDPOINT_URL = emulator
    monkeypatch.setattr(tasks.run_operation, "delay", lambda pk: run(Operation.objects.get(pk=pk)))


@pytest.fixture
def account(on_emulator: None) -> Account:
    account: Account = AccountFactory(aws_account_id="000000000000")
    return account
