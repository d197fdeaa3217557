"""An archive that was sent to us: kept on disk until a worker has deployed it."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from uuid import uuid4

from django.conf import settings

from deployments import attempts, log, operations
from deployments import manifest as manifests
from deployments.files import injection
from deployments.models import Deployment, DeploymentEvent
from deployments.source import SourceRefused
from deployments.source.opening import open_source
from deployments.upload import UploadError

WARNING = DeploymentEvent.Level.WARNING


def keep(deployment: Deployment, chunks: Iterable[bytes]) -> None:
    """Whole or not at all: a worker never finds the half of it."""
    path = path_of(deployment)
    path.parent.mkdir(parents=True, exist_ok=True)
    _drop_abandoned(path.parent)
    # Each arrival has a file of its own: the same archive may be sent twice at once.
    arriving = path.with_suffix(f".{uuid4().hex}")
    try:
        with arriving.open("wb") as target:
            for chunk in chunks:
                target.write(chunk)
        arriving.replace(path)
    finally:
        arriving.unlink(missing_ok=True)


def put(deployment: Deployment, file: Path) -> None:
    """The same with a file that is here already, and stays. Raises OSError."""
    path = path_of(deployment)
    path.parent.mkdir(parents=True, exist_ok=True)
    arriving = path.with_suffix(f".{uuid4().hex}")
    try:
        # Under a second name: it costs no room and no time.
        os.link(file, arriving)
        arriving.replace(path)
    finally:
        arriving.unlink(missing_ok=True)


def path_of(deployment: Deployment) -> Path:
    """Derived from the row, so that a worker needs the primary key alone. What kind of archive it
    is shows its content."""
    folder: Path = settings.DATA_DIR / "uploads"
    return folder / f"{deployment.pk}.archive"


def is_waiting(deployment: Deployment) -> bool:
    """Whether the file is here and its objects are not in the bucket yet."""
    return deployment.phase in operations.UPLOADING and path_of(deployment).exists()


def is_awaited(deployment: Deployment) -> bool:
    """Whether its file has never arrived: the request ended in between, and may be sent again."""
    return (
        deployment.state in Deployment.ACTIVE
        and deployment.phase in operations.UPLOADING
        and deployment.claimed_at is None
        and deployment.source != operations.NEGOTIATED
        and not path_of(deployment).exists()
    )


def run(pk: int) -> bool:
    """Upload the objects of a received archive; whether the deployment can go on from there.

    Safe to call twice, at once or after a crash: whoever claims the row works, the others leave.
    """
    is_done = attempts.attempt(pk, _upload)
    deployment = Deployment.objects.defer("manifest").filter(pk=pk).first()
    if deployment and not _is_needed(deployment):
        path_of(deployment).unlink(missing_ok=True)
    return is_done


def _upload(deployment: Deployment) -> None:
    path = path_of(deployment)
    log.say(deployment, f"Opening {deployment.source}.")
    try:
        with open_source(path, allow=deployment.allowed) as opened:
            injects = injection.is_wanted(deployment.site)
            manifest = manifests.build(opened.root, files=opened.files, injects=injects)
            warnings = [*opened.warnings, *manifest.warnings]
            deployment.write(warnings=warnings, allowed=list(opened.allowed), error_message="")
            log.say(deployment, *warnings, level=WARNING)
            log.say(deployment, *(f"Let through by name: {path}" for path in opened.allowed))
            operations.upload(deployment, manifest, opened.root, lambda files, sent: None)
    except (SourceRefused, UploadError) as refused:
        # By the name that it came with, not where we keep it.
        raise SourceRefused(str(refused).replace(str(path), deployment.source)) from refused


def _is_needed(deployment: Deployment) -> bool:
    return deployment.state in Deployment.ACTIVE and deployment.phase in operations.UPLOADING


def _drop_abandoned(folder: Path) -> None:
    """Files of deployments that ended without a worker having had them."""
    numbers = {path: int(path.stem) for path in folder.iterdir() if path.stem.isdigit()}
    active = Deployment.objects.filter(pk__in=numbers.values(), state__in=Deployment.ACTIVE)
    kept = set(active.values_list("pk", flat=True))
    for path, pk in numbers.items():
        if pk not in kept:
            path.unlink(missing_ok=True)
