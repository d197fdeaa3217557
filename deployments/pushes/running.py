"""From the row of a push to objects in the bucket: fetch, look, upload."""

from __future__ import annotations

import logging

from django.conf import settings

from deployments import manifest as manifests
from deployments import operations
from deployments.models import Deployment, Repository
from deployments.progress import CANCELLED
from deployments.pushes.receiving import source_of
from deployments.source import SourceRefused
from deployments.source.opening import open_source
from deployments.upload import UploadError
from sites.errors import Refused, for_people
from sites.models.lease import LeaseLost

logger = logging.getLogger(__name__)

State, Phase = Deployment.State, Deployment.Phase
BEGINNING = (Phase.SOURCE, Phase.UPLOAD)
MAX_ATTEMPTS = 5


class Superfluous(Exception):
    """Nobody wants this deployment any more; the message says why."""


def is_waiting(deployment: Deployment) -> bool:
    """Whether its commit is still to be fetched: by whoever, it is the same commit."""
    return deployment.trigger == Deployment.Trigger.PUSH and deployment.phase in BEGINNING


def run(pk: int) -> bool:
    """Upload what was pushed; whether the deployment can go on from there.

    Safe to call twice, at once or after a crash: whoever claims the row works, the others leave.
    """
    deployment = (
        Deployment.objects.select_related("site__account")
        .filter(pk=pk, state__in=Deployment.ACTIVE, phase__in=BEGINNING)
        .first()
    )
    if deployment is None or not deployment.claim(state=State.IN_PROGRESS, phase=Phase.SOURCE):
        return False
    try:
        with deployment.heartbeat():
            is_done = _deploy(deployment)
    except LeaseLost:
        return False
    if is_done:
        deployment.release()
    return is_done


def _deploy(deployment: Deployment) -> bool:
    """Upload, or end the row with a sentence that says why not."""
    try:
        with for_people():
            _fetch_and_upload(deployment)
    except Superfluous as why:
        operations.fail(deployment, str(why), state=State.INACTIVE)
    except Refused as refused:
        if refused.try_again and deployment.attempts < MAX_ATTEMPTS:
            deployment.release(attempts=deployment.attempts + 1, error_message=str(refused))
        else:
            operations.fail(deployment, str(refused))
    except (SourceRefused, UploadError) as refused:
        operations.fail(deployment, str(refused))
    except LeaseLost:
        raise
    except Exception:
        logger.exception("the push of deployment %s failed by a mistake of ours", deployment.pk)
        operations.fail(
            deployment, "cloudadmin itself failed here; the worker's log has the details."
        )
    else:
        return True
    return False


def _fetch_and_upload(deployment: Deployment) -> None:
    repository = Repository.objects.filter(site=deployment.site_id).first()
    if repository is None:
        raise SourceRefused("The site has no repository any more.")
    _judge(deployment)
    source = source_of(repository, deployment.sha or deployment.ref)
    with open_source(
        source,
        submodules=repository.has_submodules,
        schemes=tuple(settings.CLOUDADMIN_GIT_SCHEMES),
    ) as opened:
        _judge(deployment)
        deployment.write(
            sha=opened.sha or deployment.sha,
            author=deployment.author or opened.author[:200],
            warnings=list(opened.warnings),
            error_message="",
        )
        manifest = manifests.build(opened.root, files=opened.files)
        operations.upload(deployment, manifest, opened.root, lambda files, sent: None)


def _judge(deployment: Deployment) -> None:
    """Raises Superfluous for what was cancelled, and for what a later push to the same branch has
    as well."""
    deployment.refresh_from_db(fields=["cancel_requested"])
    if deployment.cancel_requested:
        raise Superfluous(CANCELLED)
    later = (
        Deployment.objects.filter(
            site=deployment.site_id,
            trigger=Deployment.Trigger.PUSH,
            environment=deployment.environment,
            ref=deployment.ref,
            number__gt=deployment.number,
        )
        .only("number", "sha")
        .first()
    )
    if later is not None:
        raise Superfluous(
            f"Overtaken by #{later.number}: {later.sha[:7] or 'a newer commit'} was pushed to "
            f"{deployment.ref} meanwhile."
        )
