"""Every test of a resource that asks for ``clients`` is run against each of the judges."""

from __future__ import annotations

import pytest

from cloudadmin.aws import Clients
from tests.sites.cloud import clients_at
from tests.sites.provisioning.judges import JUDGES, Judge


@pytest.fixture(scope="session")
def clients_of(ministack: str, moto: str) -> dict[str, Clients]:
    """By the name of the judge."""
    return {"ministack": clients_at(ministack), "moto": clients_at(moto)}


@pytest.fixture(params=JUDGES, ids=str)
def judge(request: pytest.FixtureRequest) -> Judge:
    judge: Judge = request.param
    return judge


@pytest.fixture
def clients(clients_of: dict[str, Clients], judge: Judge) -> Clients:
    return clients_of[judge.name]
