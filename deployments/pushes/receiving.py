"""From a webhook to a row: signed, once, and as the repository's branch rules say."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from contextlib import suppress
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from celery import current_app
from django.db import IntegrityError, transaction

from deployments import operations, previews
from deployments.errors import DeploymentRefused
from deployments.models import Delivery, Deployment, Repository
from deployments.preview_names import label_of
from deployments.pushes.deliveries import Outcome, made, refuse
from deployments.pushes.payload import Other, Ping, Push, Unreadable, read
from sites.errors import Refused
from sites.waking import wake

if TYPE_CHECKING:
    from django.contrib.auth.models import User

Environment = Deployment.Environment
SIGNATURE = "X-Hub-Signature-256"
UNSIGNED = "There is no such hook, or its secret is another one than what signed this."


class Unsigned(Exception):
    """Whoever sent it does not know the hook's secret."""


class Ignored(Exception):
    """Nothing is to be done; the message says why."""


def is_signed(repository: Repository | None, headers: Mapping[str, str], body: bytes) -> bool:
    """By the repository's secret. Where there is no repository it takes as long to say no.

    https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries
    """
    secret = repository.secret if repository else ""
    expected = "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    given = headers.get(SIGNATURE, "").encode(errors="replace")
    return hmac.compare_digest(expected.encode(), given) and bool(secret)


def receive(repository: Repository | None, headers: Mapping[str, str], body: bytes) -> Delivery:
    """What became of a webhook, written down. A deployment that it asks for is enqueued.

    Raises Unsigned.
    """
    if not is_signed(repository, headers, body) or repository is None:
        refuse(repository, headers, UNSIGNED)
        raise Unsigned(UNSIGNED)
    # The delivery's id is not signed: the body is what comes once.
    digest = hashlib.sha256(body).hexdigest()
    accepted = Delivery.objects.filter(
        repository=repository, body_sha256=digest, outcome=Outcome.ACCEPTED
    ).first()
    if accepted:
        return _repeated(repository, headers, digest)
    try:
        said = read(body)
        if not repository.full_name:
            _learn_name(repository, said.full_name)
        with transaction.atomic():
            return _accept(repository, headers, said, digest)
    except Ignored as ignored:
        delivery = made(repository, headers, Outcome.IGNORED, str(ignored), digest)
        delivery.save()
        return delivery
    except IntegrityError:  # the same one came twice at once
        return _repeated(repository, headers, digest)
    except (Unreadable, Refused) as refused:
        return refuse(repository, headers, str(refused), digest)


def deploy(
    repository: Repository, branch: str, push: Push | None = None, creator: User | None = None
) -> Deployment:
    """The row for the pushed commit, or for the newest of ``branch``. Raises DeploymentRefused."""
    environment = environment_of(repository, branch)
    if environment is None:
        raise Ignored(
            f"The branch {branch} is neither {repository.production_branch} nor one of "
            "those that become previews."
        )
    is_preview = environment == Environment.PREVIEW
    deployment = operations.create(
        repository.site,
        source_of(repository, branch),
        message=push.message if push else "",
        creator=creator,
        environment=environment,
        trigger=Deployment.Trigger.PUSH,
        label=label_of(branch) if is_preview else "",
        ref=branch,
        sha=push.sha if push else "",
        author=push.author if push else "",
    )
    deployment.phase = Deployment.Phase.SOURCE
    deployment.save(update_fields=["phase"])
    wake(current_app.send_task, "deployments.deploy_push", (deployment.pk,))
    return deployment


def environment_of(repository: Repository, branch: str) -> str | None:
    """In a pattern ``*`` stands for anything, slashes too."""
    if branch == repository.production_branch:
        return Environment.PRODUCTION
    if any(fnmatchcase(branch, pattern) for pattern in repository.preview_branches):
        return Environment.PREVIEW
    return None


def source_of(repository: Repository, ref: str) -> str:
    folder = repository.folder.strip("/")
    return f"{repository.url}#{ref}" + (f":{folder}" if folder else "")


def _accept(
    repository: Repository, headers: Mapping[str, str], said: Ping | Push | Other, digest: str
) -> Delivery:
    """Inside a transaction: a delivery and its deployment are both there, or neither."""
    _judge_name(repository, said)
    if isinstance(said, Ping):
        raise Ignored("GitHub greets: the hook works.")
    if isinstance(said, Other):
        raise Ignored("Pushes alone deploy.")
    delivery = made(repository, headers, Outcome.ACCEPTED, "", digest)
    delivery.save()
    if said.sha:
        delivery.deployment = _deploy_push(repository, said)
        delivery.reason = f"Deployment #{delivery.deployment.number}."
    else:
        delivery.reason = _close_preview(repository, said)
    delivery.save(update_fields=["deployment", "reason"])
    return delivery


def _learn_name(repository: Repository, full_name: str) -> None:
    """From what it was greeted with."""
    repository.full_name = full_name
    repository.save(update_fields=["full_name"])


def _judge_name(repository: Repository, said: Ping | Push | Other) -> None:
    if said.full_name.lower() != repository.full_name.lower():
        raise Ignored(
            f"It is of {said.full_name or 'no repository'}; this hook is for "
            f"{repository.full_name}."
        )


def _deploy_push(repository: Repository, push: Push) -> Deployment:
    if not push.branch:
        raise Ignored(f"{push.ref} is not a branch; tags are not deployed.")
    return deploy(repository, push.branch, push)


def _close_preview(repository: Repository, push: Push) -> str:
    if not push.branch or environment_of(repository, push.branch) != Environment.PREVIEW:
        raise Ignored(f"{push.ref} was deleted; it has no preview.")
    cancelled = _cancel(repository, push.branch)
    try:
        previews.close(repository.site, label_of(push.branch))
    except DeploymentRefused as refused:
        if not cancelled:
            raise Ignored(f"{push.ref} was deleted; it has no preview.") from refused
    return f"The branch {push.branch} was deleted; its preview is closed."


def _cancel(repository: Repository, branch: str) -> int:
    """What is on its way to the preview of a branch; how many."""
    cancelled = 0
    for deployment in Deployment.objects.filter(
        site=repository.site,
        environment=Environment.PREVIEW,
        ref=branch,
        state__in=Deployment.ACTIVE,
    ).defer("manifest"):
        with suppress(DeploymentRefused):  # too late: it is a preview already
            operations.request_cancel(deployment)
            cancelled += 1
    return cancelled


def _repeated(repository: Repository, headers: Mapping[str, str], digest: str) -> Delivery:
    return refuse(
        repository, headers, "The same content was accepted before; it counts once.", digest
    )
