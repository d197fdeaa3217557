"""Deploying by manifest: send the hashes, upload what is missing, finalize."""

from __future__ import annotations

from typing import Annotated, Any

from django.http import HttpRequest
from ninja import Query, Router, Status
from pydantic import ValidationError

from deployments import operations, tasks
from deployments.api import negotiation
from deployments.api.access import require, site_of
from deployments.api.creation import IdempotencyKey, create, replayed
from deployments.api.deploys import Number, deployment_of, scope_for
from deployments.api.negotiation import Uploads
from deployments.api.problems import ApiError, invalid, refusals, too_large
from deployments.api.schemas import (
    PLAIN,
    DeploymentOut,
    ManifestIn,
    NegotiatedOut,
    UploadsOut,
    reference,
)
from deployments.models import Deployment, Scope
from sites.models.lease import LeaseLost
from sites.waking import wake

MOST_BODY = 40 * 1024 * 1024

router = Router(tags=["deployments"])


@router.post(
    "/sites/{site}/manifests",
    response={201: NegotiatedOut, **refusals(409, 413, 415, 422)},
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {"$ref": reference(ManifestIn)}}},
        }
    },
)
def create_by_manifest(
    request: HttpRequest, site: str, key: IdempotencyKey = ""
) -> Status[dict[str, Any]]:
    """Say what the release consists of; the answer has the files that the bucket lacks.

    PUT each of them to its address, with its headers; get the next page; then finalize. The
    addresses are good for 25 minutes, and the deployment for an hour after its last page.
    Scope: deploy, or preview for a preview.
    """
    row = site_of(request, site, Scope.READ)
    asked = _manifest(request)
    require(request, scope_for(asked.environment))
    deployment = replayed(row, key)
    if deployment is None or _is_untouched(deployment):
        manifest = negotiation.manifest_of(asked)
        deployment = deployment or create(request, row, operations.NEGOTIATED, asked, key)
        negotiation.hold(deployment, manifest)
    return Status(201, {"deployment": deployment, **vars(_page(deployment, ""))})


@router.get(
    "/sites/{site}/deployments/{number}/uploads", response={200: UploadsOut, **refusals(409, 422)}
)
def list_uploads(
    request: HttpRequest,
    site: str,
    number: Number,
    after: Annotated[str, Query(max_length=900, pattern=PLAIN)] = "",
) -> Uploads:
    """What is missing now, a page of two thousand. Scope: deploy, or preview for a preview."""
    return _page(_own(request, site, number), after)


@router.post(
    "/sites/{site}/deployments/{number}/finalize",
    response={202: DeploymentOut, **refusals(409, 422)},
)
def finalize(request: HttpRequest, site: str, number: Number) -> Status[Deployment]:
    """Everything is there: have it published. Asking twice changes nothing.

    409 with `missing` when the bucket lacks files still. Scope: deploy, or preview for a preview.
    """
    deployment = _own(request, site, number)
    if operations.is_negotiated(deployment):
        try:
            missing = negotiation.finalize(deployment)
        except LeaseLost:  # another request was first
            return Status(202, deployment_of(deployment.site, number))
        if missing:
            raise ApiError(
                409,
                f"{len(missing)} files are missing, “{missing[0]}” among them; get the page of "
                "uploads again and send them.",
                missing=missing,
            )
        wake(tasks.resume_deployment.delay, deployment.pk)
    return Status(202, deployment)


def _own(request: HttpRequest, site: str, number: int) -> Deployment:
    """A deployment that this token might have begun."""
    deployment = deployment_of(site_of(request, site, Scope.READ), number)
    require(request, scope_for(deployment.environment))
    return deployment


def _is_untouched(deployment: Deployment) -> bool:
    """Whether the request that made it ended before it could give it to the client."""
    return (
        deployment.state in Deployment.ACTIVE
        and deployment.claimed_at is None
        and deployment.source == operations.NEGOTIATED
    )


def _page(deployment: Deployment, after: str) -> Uploads:
    if not operations.is_negotiated(deployment):
        raise ApiError(
            409,
            f"Deployment #{deployment.number} waits for no uploads: it is "
            f"“{deployment.get_state_display()}”. {deployment.error_message}".strip(),
        )
    return negotiation.uploads(deployment, after)


def _manifest(request: HttpRequest) -> ManifestIn:
    """Read here, because it may be larger than what Django reads into memory for others."""
    if request.content_type != "application/json":
        raise ApiError(
            415, f"The body is “{request.content_type}”; send JSON, as “application/json”."
        )
    body = request.read(MOST_BODY + 1)
    if len(body) > MOST_BODY:
        raise too_large("40 MiB")
    try:
        return ManifestIn.model_validate_json(body)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
        raise invalid([{**each, "loc": ("body", *each["loc"])} for each in found]) from error
