"""Deployments that ended as workers end them."""

from __future__ import annotations

from deployments import progress
from deployments.models import Deployment
from sites.models import Site
from tests.factories import DeploymentFactory


def ended(
    site: Site, number: int, state: str, message: str = "Said.", **columns: object
) -> Deployment:
    row: Deployment = DeploymentFactory(
        site=site, number=number, state=Deployment.State.IN_PROGRESS, **columns
    )
    assert row.claim()
    progress.end(row, state, message)
    return row
