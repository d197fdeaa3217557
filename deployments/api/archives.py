"""Deploying by upload of an archive: streamed to disk, unpacked and published by a worker."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

from django.http import HttpRequest
from ninja import Query, Status

from deployments import operations, tasks, uploads
from deployments.api.access import require, site_of
from deployments.api.creation import IdempotencyKey, create, replayed
from deployments.api.deploys import router, scope_for
from deployments.api.problems import ApiError, refusals, too_large
from deployments.api.schemas import DeploymentOut, Options
from deployments.models import Deployment, Scope
from sites.waking import wake

GB = 1024**3
MOST_BYTES = 2 * GB
CHUNK = 256 * 1024
# What an archive may be sent as; what it is, its first bytes say.
CONTENT_TYPES = (
    "application/gzip",
    "application/octet-stream",
    "application/x-bzip2",
    "application/x-tar",
    "application/zip",
    "application/zstd",
)
MULTIPART = "multipart/form-data"
BINARY = {"schema": {"type": "string", "format": "binary"}}
FORM = {
    "schema": {
        "type": "object",
        "required": ["file"],
        "properties": {"file": {"type": "string", "format": "binary"}},
    }
}


@router.post(
    "/sites/{site}/deployments",
    response={202: DeploymentOut, **refusals(409, 411, 413, 415, 422)},
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {**dict.fromkeys(CONTENT_TYPES, BINARY), MULTIPART: FORM},
        }
    },
)
def create_by_archive(
    request: HttpRequest, site: str, options: Annotated[Options, Query()], key: IdempotencyKey = ""
) -> Status[Deployment]:
    """Deploy a zip or a tar (gz, bz2, zst) of the build's output, of up to 2 GiB.

    The answer comes when the archive is here; what is wrong with it is in the deployment's `error`
    afterwards. Scope: deploy, or preview for a preview.
    """
    row = site_of(request, site, Scope.READ)
    require(request, scope_for(options.environment))
    _judge(request)
    deployment = replayed(row, key)
    if deployment is None or uploads.is_awaited(deployment):
        chunks = _chunks(request)
        deployment = deployment or create(request, row, _name(request), options, key)
        _keep(deployment, chunks)
        wake(tasks.deploy_upload.delay, deployment.pk)
    return Status(202, deployment)


def _keep(deployment: Deployment, chunks: Iterator[bytes]) -> None:
    try:
        uploads.keep(deployment, chunks)
    except (ApiError, OSError):
        # The key is free again: the same request makes another deployment.
        deployment.write(idempotency_key="")
        operations.fail(deployment, "The archive did not arrive whole; send it again.")
        raise


def _judge(request: HttpRequest) -> None:
    if request.content_type not in (*CONTENT_TYPES, MULTIPART):
        raise ApiError(
            415,
            f"The body is “{request.content_type}”; send an archive as one of "
            f"{', '.join(CONTENT_TYPES)}, or a form with the field “file”.",
        )
    length = request.META.get("CONTENT_LENGTH") or "0"
    if length.isdecimal() and int(length) > MOST_BYTES:
        raise too_large("2 GiB")


def _chunks(request: HttpRequest) -> Iterator[bytes]:
    """The archive, piece by piece; the first piece is there already."""
    if request.content_type == MULTIPART:
        file = request.FILES.get("file")
        if file is None or not file.size:
            raise ApiError(422, "The form has no file in its field “file”; put the archive there.")
        return file.chunks()
    first = request.read(CHUNK)
    if not first:
        raise ApiError(422, "The body is empty; send the archive as the body.")
    return _rest(request, first)


def _rest(request: HttpRequest, chunk: bytes) -> Iterator[bytes]:
    total = 0
    while chunk:
        total += len(chunk)
        if total > MOST_BYTES:
            raise too_large("2 GiB")
        yield chunk
        chunk = request.read(CHUNK)


def _name(request: HttpRequest) -> str:
    file: Any = request.FILES.get("file") if request.content_type == MULTIPART else None
    name = str(file.name) if file is not None else ""
    return name if name not in ("", operations.NEGOTIATED) else "archive"
