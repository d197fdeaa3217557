"""An archive that has just arrived, as the dashboard takes it."""

from __future__ import annotations

from django.core.files.uploadedfile import UploadedFile

from deployments import operations, uploads
from deployments.models import Deployment
from sites.models import Site
from tests.factories import UserFactory


def received(site: Site, file: UploadedFile[bytes]) -> Deployment:
    deployment = operations.create(
        site,
        file.name or "",
        creator=UserFactory(),
        trigger=Deployment.Trigger.DASHBOARD,
    )
    uploads.keep(deployment, file.chunks())
    return deployment
