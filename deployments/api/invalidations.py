"""What CloudFront shall forget."""

from __future__ import annotations

from typing import Annotated

from django.db.models import QuerySet
from django.http import HttpRequest
from ninja import Path, Router, Status

from deployments import invalidations, tasks
from deployments.api.access import site_of
from deployments.api.problems import ApiError, NotFound, refusals
from deployments.api.schemas import InvalidationOut, PathsIn
from deployments.models import Invalidation, Scope
from sites.waking import wake

SHOWN = 50
LARGEST = 2**63 - 1

router = Router(tags=["invalidations"])


@router.get("/sites/{site}/invalidations", response={200: list[InvalidationOut], **refusals()})
def list_invalidations(request: HttpRequest, site: str) -> QuerySet[Invalidation]:
    """The last fifty. Scope: read."""
    return Invalidation.objects.filter(site=site_of(request, site, Scope.READ))[:SHOWN]


@router.get("/sites/{site}/invalidations/{id}", response={200: InvalidationOut, **refusals(422)})
def get_invalidation(
    request: HttpRequest, site: str, id: Annotated[int, Path(ge=1, le=LARGEST)]
) -> Invalidation:
    """Scope: read."""
    row = Invalidation.objects.filter(site=site_of(request, site, Scope.READ), pk=id).first()
    if row is None:
        raise NotFound(f"{site} has no invalidation {id}.")
    return row


@router.post(
    "/sites/{site}/invalidations", response={202: InvalidationOut, **refusals(409, 413, 415, 422)}
)
def invalidate(request: HttpRequest, site: str, body: PathsIn) -> Status[Invalidation]:
    """Have paths asked for anew, as in `/data/*`. Deployments never need it. Scope: deploy."""
    row = site_of(request, site, Scope.DEPLOY)
    try:
        invalidation = invalidations.request(row, body.paths)
    except ValueError as error:
        raise ApiError(422, str(error)) from error
    wake(tasks.send_invalidation.delay, invalidation.pk)
    return Status(202, invalidation)
