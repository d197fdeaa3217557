from __future__ import annotations

from urllib.parse import urlsplit

import pytest

from sites.models import Account, Site
from sites.visits.pull import CounterDatabase
from tests.lambda_src.counter.containers import connection, counter_url, environment

__all__ = ["connection", "counter_url", "environment"]


def counter_database(url: str) -> CounterDatabase:
    parts = urlsplit(url)
    return CounterDatabase(
        host=parts.hostname or "",
        port=parts.port or 0,
        name=parts.path.lstrip("/"),
        user=parts.username or "",
        password="",
        tls="disable",
    )


@pytest.fixture
def database(counter_url):
    return counter_database(counter_url)


@pytest.fixture
def account(db):
    return Account.objects.create(name="agency", aws_account_id="123456789012")


@pytest.fixture
def site(account):
    return Site.objects.create(name="shop", account=account)
