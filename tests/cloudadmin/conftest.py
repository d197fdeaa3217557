"""Who logs in."""

from __future__ import annotations

import pytest
from django.db import transaction

from tests.factories import UserFactory


@pytest.fixture
def ada():
    return UserFactory(username="ada", is_superuser=True, email="ada@example.com")


@pytest.fixture
def commits(monkeypatch):
    """What follows a commit does so inside the request, as it does outside of tests."""
    monkeypatch.setattr(transaction, "on_commit", lambda do, *args, **kwargs: do())
