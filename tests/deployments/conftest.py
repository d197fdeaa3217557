"""Fixtures of deployments' tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.deployments.receiver import Receiver, receiving


@pytest.fixture
def receiver(settings) -> Iterator[Receiver]:
    """Webhooks may reach this machine."""
    settings.CLOUDADMIN_WEBHOOK_NETWORKS = ["127.0.0.0/8"]
    with receiving() as running:
        yield running
