"""A worker's attempt at the upload of a deployment: claimed by one, given up after five."""

from __future__ import annotations

import logging
from collections.abc import Callable

from deployments import log, operations
from deployments.models import Deployment, DeploymentEvent
from deployments.source import SourceRefused
from deployments.upload import UploadError
from sites.errors import Refused, for_people, hint
from sites.models.lease import LeaseLost

logger = logging.getLogger(__name__)

State = Deployment.State


class Superfluous(Exception):
    """Nobody wants this deployment any more; the message says why."""


def attempt(pk: int, send: Callable[[Deployment], None], **changes: object) -> bool:
    """Have ``send`` open the source and upload it; whether the deployment can go on from there.

    Safe to call twice, at once or after a crash: whoever claims the row works, the others leave.
    ``changes`` are written with the claim. Where it cannot go on, the row has its end and says why,
    or is let go to be tried again.
    """
    deployment = (
        Deployment.objects.select_related("site__account")
        .filter(pk=pk, state__in=Deployment.ACTIVE, phase__in=operations.UPLOADING)
        .first()
    )
    if deployment is None or not deployment.claim(state=State.IN_PROGRESS, **changes):
        return False
    try:
        if deployment.attempts > operations.MAX_ATTEMPTS:
            operations.fail(deployment, "Stopped: its worker died five times.")
            return False
        with deployment.heartbeat():
            is_sent = _try(deployment, send)
        if is_sent:
            deployment.release()
    except LeaseLost:
        return False
    return is_sent


def _try(deployment: Deployment, send: Callable[[Deployment], None]) -> bool:
    try:
        with for_people():
            send(deployment)
    except Superfluous as why:
        operations.fail(deployment, str(why), state=State.INACTIVE)
    except Refused as refused:
        if refused.try_again and deployment.attempts < operations.MAX_ATTEMPTS:
            log.say(
                deployment,
                f"{refused} It is tried again by itself.",
                level=DeploymentEvent.Level.WARNING,
            )
            deployment.release(attempts=deployment.attempts + 1, error_message=str(refused))
        else:
            operations.fail(deployment, str(refused))
    except SourceRefused as refused:
        operations.fail(deployment, str(refused))
    except UploadError as error:
        operations.fail(deployment, f"{error}{hint(error.code)}")
    except LeaseLost:
        raise
    except Exception:
        logger.exception("the upload of deployment %s failed by a mistake of ours", deployment.pk)
        operations.fail(
            deployment, "cloudadmin itself failed here; the worker's log has the details."
        )
    else:
        return True
    return False
