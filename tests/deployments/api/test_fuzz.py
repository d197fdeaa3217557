"""The API against its own description, as each role: nothing undocumented, nothing broken.

Every request is taken back before the next one. ``FUZZ_EXAMPLES`` is how many of each kind are
tried per operation and role; the gate has time for a few.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import cache

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections, transaction
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from deployments.api import identity
from deployments.api.app import api
from deployments.models import Deployment, Invalidation, Scope
from sites.models import Site
from tests.deployments.api.conftest import token
from tests.factories import DeploymentFactory, InvalidationFactory, SiteFactory

pytestmark = pytest.mark.django_db

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "2"))
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
ROLES = {
    "nobody": (),
    "reader": [Scope.READ],
    "deployer": [Scope.DEPLOY],
    "owner": list(Scope),
}


@pytest.fixture
def busy(site: Site, settings, ministack, clients, monkeypatch) -> Site:
    """A site with something of everything, on an AWS that answers."""
    settings.AWS_ENDPOINT_URL = ministack
    settings.CLOUDADMIN_API_RATE = 1_000_000
    monkeypatch.setattr(identity, "EXCHANGES_A_MINUTE", 1_000_000)
    clients.s3.create_bucket(Bucket=site.resources.get(logical_id="bucket").physical_id)
    State, Phase = Deployment.State, Deployment.Phase
    DeploymentFactory(site=site, number=1, served=True, state=State.INACTIVE)
    DeploymentFactory(site=site, number=2, current=True)
    DeploymentFactory(site=site, number=3, state=State.QUEUED, phase=Phase.QUEUE)
    DeploymentFactory(site=site, number=4, state=State.FAILURE, phase=Phase.UPLOAD)
    InvalidationFactory(site=site)
    return site


@pytest.fixture
def one_connection() -> Iterator[None]:
    """The application keeps the test's own, with its transaction, as for Django's test client."""
    signals = (request_started, request_finished)
    for signal in signals:
        signal.disconnect(close_old_connections)
    yield
    for signal in signals:
        signal.connect(close_old_connections)


@cache
def description() -> schemathesis.BaseSchema:
    schema = schemathesis.openapi.from_dict(api.get_openapi_schema(path_prefix="/api/v1/"))
    schema.app = get_wsgi_application()
    return schema


@pytest.mark.parametrize("role", [*ROLES, "stranger"])
def test_a_fuzzer_finds_nothing(busy, one_connection, role):
    home = SiteFactory() if role == "stranger" else busy
    scopes = ROLES.get(role, list(Scope))
    headers = {"Authorization": f"Bearer {token(home, *scopes)}"} if scopes else {}
    for found in description().get_all_operations():
        assert isinstance(found, Ok)
        for mode in GenerationMode:
            fuzz(found.ok(), mode, headers, busy.name)


def fuzz(operation, mode: GenerationMode, headers: dict[str, str], site: str) -> None:
    @settings(
        max_examples=EXAMPLES,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def attempt(case: schemathesis.Case) -> None:
        if mode is GenerationMode.POSITIVE:
            lead(case, site)
        with transaction.atomic():
            response = case.call(headers=headers)
            transaction.set_rollback(True)
        case.validate_response(response, checks=CHECKS)

    attempt()


def lead(case: schemathesis.Case, site: str) -> None:
    """To what is there: no fuzzer would find it."""
    path = case.path_parameters
    if "site" in path:
        path["site"] = site
    if "number" in path:
        path["number"] = path["number"] % 4 + 1
    if "id" in path:
        path["id"] = Invalidation.objects.values_list("pk", flat=True)[0]
