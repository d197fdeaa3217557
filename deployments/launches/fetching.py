"""The first files of a site that are in a git repository: fetched by a worker."""

from __future__ import annotations

from django.conf import settings

from deployments import attempts, operations
from deployments import manifest as manifests
from deployments.files import injection
from deployments.models import Deployment, Launch
from deployments.source.opening import open_source


def is_fetching(deployment: Deployment) -> bool:
    """Whether its repository is still to be fetched, by whoever."""
    if deployment.phase not in operations.UPLOADING:
        return False
    return Launch.objects.filter(deployment=deployment, source=Launch.Source.GIT).exists()


def fetch(pk: int) -> bool:
    """Upload what is in the repository, as ``attempts.attempt`` does."""
    return attempts.attempt(pk, _fetch_and_upload, phase=Deployment.Phase.SOURCE)


def _fetch_and_upload(deployment: Deployment) -> None:
    schemes = tuple(settings.CLOUDADMIN_GIT_SCHEMES)
    with open_source(deployment.source, schemes=schemes) as opened:
        injects = injection.is_wanted(deployment.site)
        manifest = manifests.build(opened.root, files=opened.files, injects=injects)
        deployment.write(
            ref=opened.ref[:255],
            sha=opened.sha,
            author=opened.author[:200],
            warnings=[*opened.warnings, *manifest.warnings],
            error_message="",
        )
        operations.upload(deployment, manifest, opened.root, lambda files, sent: None)
