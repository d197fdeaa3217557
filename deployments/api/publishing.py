"""Which deployment is served: publish, roll back, lock."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.http import HttpRequest
from django.utils import timezone
from ninja import Router

from deployments import lane, rollback, tasks
from deployments.api import site as sites
from deployments.api.access import site_of, token_of
from deployments.api.deploys import Number, deployment_of
from deployments.api.problems import refusals
from deployments.api.schemas import DeploymentOut, LockIn, RollbackIn, SiteOut
from deployments.models import Deployment, Scope
from sites.models import Site
from sites.waking import wake

router = Router(tags=["publishing"])
ACTED = refusals(409, 413, 415, 422)


@router.post(
    "/sites/{site}/deployments/{number}/publish",
    response={200: DeploymentOut, **refusals(409, 422)},
)
def publish_deployment(request: HttpRequest, site: str, number: Number) -> Deployment:
    """Serve this deployment, whether it is older or newer than the published one.

    One flip, no upload. After going back, later deployments wait to be published until
    publishing is resumed. Scope: rollback.
    """
    row = deployment_of(site_of(request, site, Scope.ROLLBACK), number)
    return _serve(request, row.site, number)


@router.post("/sites/{site}/rollback", response={200: DeploymentOut, **ACTED})
def roll_back(request: HttpRequest, site: str, body: RollbackIn) -> Deployment:
    """Serve an earlier deployment again, by default the one before. Scope: rollback."""
    return _serve(request, site_of(request, site, Scope.ROLLBACK), body.number)


@router.put("/sites/{site}/lock", response={200: SiteOut, **ACTED})
def lock_site(request: HttpRequest, site: str, body: LockIn) -> dict[str, Any]:
    """Until it is unlocked, deployments end ready to be published. Scope: rollback."""
    row = site_of(request, site, Scope.ROLLBACK)
    until = timezone.now() + timedelta(hours=body.hours) if body.hours else None
    lane.lock(row, body.reason, _name(request), until)
    return sites.shown(row)


@router.delete("/sites/{site}/lock", response={200: SiteOut, **refusals(409)})
def unlock_site(request: HttpRequest, site: str) -> dict[str, Any]:
    """Scope: rollback."""
    row = site_of(request, site, Scope.ROLLBACK)
    lane.unlock(row)
    return sites.shown(row)


@router.delete("/sites/{site}/hold", response={200: SiteOut, **refusals(409)})
def resume_publishing(request: HttpRequest, site: str) -> dict[str, Any]:
    """After a roll back: have new deployments published by themselves again. Scope: rollback."""
    row = site_of(request, site, Scope.ROLLBACK)
    lane.release_hold(row)
    return sites.shown(row)


def _serve(request: HttpRequest, site: Site, number: int | None) -> Deployment:
    served = rollback.rollback(site, number, token_of(request).creator)
    if served.state in Deployment.ACTIVE:
        wake(tasks.resume_deployment.delay, served.pk)
    return served


def _name(request: HttpRequest) -> str:
    token = token_of(request)
    return f"{token.creator or 'token'} ({token.name})"[:150]
