"""An account whose AWS is the emulator."""

from __future__ import annotations

import pytest

from cloudadmin.aws import Access, Clients
from sites import access, tasks
from sites.models import Account, Operation
from tests.factories import AccountFactory
from tests.sites.cloud import run


@pytest.fixture(scope="session")
def aws(ministack: str) -> Clients:
    """One set for all tests: making them costs more than most calls."""
    return Clients(Access(region="us-east-1", endpoint_url=ministack))


@pytest.fixture
def account(aws: Clients, monkeypatch: pytest.MonkeyPatch) -> Account:
    """What is asked for is run at once, to its end."""
    monkeypatch.setattr(access, "_clients", lambda *_: aws)
    monkeypatch.setattr(tasks.run_operation, "delay", lambda pk: run(Operation.objects.get(pk=pk)))
    account: Account = AccountFactory(aws_account_id="000000000000")
    return account
