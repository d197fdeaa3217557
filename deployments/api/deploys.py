"""Deployments: what there is, how far each is, and an end to it."""

from __future__ import annotations

from typing import Annotated, Any

from django.db.models import QuerySet
from django.http import HttpRequest
from ninja import Path, Query, Router, Status

from deployments import operations
from deployments.api.access import require, site_of
from deployments.api.problems import NotFound, refusals
from deployments.api.schemas import DeploymentOut, DeploymentsOut, LogOut, page
from deployments.models import Deployment, Scope
from sites.models import Site

PAGE = 100
LARGEST, LARGEST_ID = 2**31 - 1, 2**63 - 1

Number = Annotated[int, Path(ge=1, le=LARGEST)]
Phase = Deployment.Phase
ORDER = list(Phase)

router = Router(tags=["deployments"])


@router.get("/sites/{site}/deployments", response={200: DeploymentsOut, **refusals(422)})
def list_deployments(
    request: HttpRequest,
    site: str,
    environment: Deployment.Environment | None = None,
    state: Deployment.State | None = None,
    before: Annotated[int | None, Query(ge=1, le=LARGEST)] = None,
    limit: Annotated[int, Query(ge=1, le=PAGE)] = 20,
) -> dict[str, Any]:
    """The newest first. Scope: read."""
    rows = _rows(site_of(request, site, Scope.READ))
    if environment:
        rows = rows.filter(environment=environment)
    if state:
        rows = rows.filter(state=state)
    if before:
        rows = rows.filter(number__lt=before)
    items, last = page(list(rows[: limit + 1]), limit)
    return {"items": items, "next": last.number if last else None}


@router.get("/sites/{site}/deployments/{number}", response={200: DeploymentOut, **refusals(422)})
def get_deployment(request: HttpRequest, site: str, number: Number) -> Deployment:
    """Scope: read."""
    return deployment_of(site_of(request, site, Scope.READ), number)


@router.get("/sites/{site}/deployments/{number}/log", response={200: LogOut, **refusals(422)})
def get_log(
    request: HttpRequest,
    site: str,
    number: Number,
    after: Annotated[
        int, Query(ge=0, le=LARGEST_ID, description="Lines that come after the one of this id.")
    ] = 0,
) -> dict[str, Any]:
    """The steps with their times, how much is sent, and the log line by line. Scope: read."""
    row = deployment_of(site_of(request, site, Scope.READ), number)
    return {
        "number": row.number,
        "state": row.state,
        "steps": steps(row),
        "objects": row.uploaded,
        "objects_total": row.objects_total,
        "bytes": row.bytes,
        "bytes_total": row.bytes_total,
        "warnings": row.warnings,
        "error": row.error_message,
        "lines": list(row.events.filter(pk__gt=after)),
    }


@router.post(
    "/sites/{site}/deployments/{number}/cancel", response={202: DeploymentOut, **refusals(409, 422)}
)
def cancel_deployment(request: HttpRequest, site: str, number: Number) -> Status[Deployment]:
    """Have it end before it is published; afterwards it is too late. Scope: deploy or preview."""
    row = deployment_of(site_of(request, site, Scope.READ), number)
    require(request, scope_for(row.environment))
    operations.request_cancel(row)
    return Status(202, deployment_of(row.site, number))


def deployment_of(site: Site, number: int) -> Deployment:
    row = _rows(site).filter(number=number).first()
    if row is None:
        raise NotFound(f"{site.name} has no deployment #{number}.")
    return row


def scope_for(environment: str) -> str:
    is_preview = environment == Deployment.Environment.PREVIEW
    return Scope.PREVIEW if is_preview else Scope.DEPLOY


def steps(row: Deployment) -> list[dict[str, Any]]:
    """Every phase up to the end, in order; those that were skipped took no time."""
    at = ORDER.index(Phase(row.phase))
    return [
        {
            "phase": phase,
            "title": phase.label,
            "state": _state(row, n, at),
            "seconds": row.timings.get(phase),
        }
        for n, phase in enumerate(ORDER)
        if phase != Phase.DONE
    ]


def _state(row: Deployment, n: int, at: int) -> str:
    if n != at:
        return "done" if n < at else "waiting"
    return "in_progress" if row.state in Deployment.ACTIVE else "failed"


def _rows(site: Site) -> QuerySet[Deployment]:
    rows = Deployment.objects.filter(site=site).select_related("site__account")
    return rows.defer("manifest")
