"""Every test of a resource that asks for ``clients`` is run against each of the judges."""

from __future__ import annotations

import pytest

from cloudadmin.aws import Access, Clients
from tests.sites.provisioning.judges import JUDGES, Judge


@pytest.fixture(scope="session")
def clients_of(ministack: str, moto: str) -> dict[str, Clients]:
    """By the name of the judge; made once, for making them costs more than most calls."""
    return {
        name: Clients(Access(region="us-east-1", endpoint_url=url))
        for name, url in (("ministack", ministack), ("moto", moto))
    }


@pytest.fixture(params=JUDGES, ids=str)
def judge(request: pytest.FixtureRequest) -> Judge:
    judge: Judge = request.param
    return judge


@pytest.fixture
def clients(clients_of: dict[str, Clients], judge: Judge) -> Clients:
    return clients_of[judge.name]
