"""From the row of a push to objects in the bucket: look, fetch, look again, upload."""

from __future__ import annotations

from django.conf import settings
from django.db.models import Q, QuerySet

from deployments import attempts, log, operations
from deployments import manifest as manifests
from deployments.attempts import Superfluous
from deployments.files import injection
from deployments.models import Deployment, DeploymentEvent, Repository
from deployments.progress import CANCELLED
from deployments.pushes import branches
from deployments.pushes.receiving import source_of
from deployments.source import SourceRefused
from deployments.source.opening import open_source

State = Deployment.State


def is_waiting(deployment: Deployment) -> bool:
    """Whether its commit is still to be fetched: by whoever, it is the same commit."""
    return (
        deployment.trigger == Deployment.Trigger.PUSH and deployment.phase in operations.UPLOADING
    )


def run(pk: int) -> bool:
    """Upload what was pushed, as ``attempts.attempt`` does."""
    return attempts.attempt(pk, _fetch_and_upload, phase=Deployment.Phase.SOURCE)


def _fetch_and_upload(deployment: Deployment) -> None:
    repository = Repository.objects.filter(site=deployment.site_id).first()
    if repository is None:
        raise SourceRefused("The site has no repository any more.")
    _judge(deployment, repository)
    source = source_of(repository, deployment.sha or deployment.ref)
    log.say(deployment, f"Fetching {deployment.sha or deployment.ref} of {repository}.")
    with open_source(
        source,
        submodules=repository.has_submodules,
        schemes=tuple(settings.CLOUDADMIN_GIT_SCHEMES),
    ) as opened:
        _judge(deployment, repository)
        deployment.write(
            sha=opened.sha or deployment.sha,
            author=deployment.author or opened.author[:200],
            error_message="",
        )
        injects = injection.is_wanted(deployment.site)
        manifest = manifests.build(opened.root, files=opened.files, injects=injects)
        warnings = [*opened.warnings, *manifest.warnings]
        deployment.write(warnings=warnings)
        log.say(deployment, f"Fetched {opened.sha}, by {opened.author or 'nobody who is named'}.")
        log.say(deployment, *warnings, level=DeploymentEvent.Level.WARNING)
        operations.upload(deployment, manifest, opened.root, lambda files, sent: None)


def _judge(deployment: Deployment, repository: Repository) -> None:
    """Raises Superfluous for what was cancelled, for a commit that its branch has left behind, and
    for what a later push deploys as well."""
    deployment.refresh_from_db(fields=["cancel_requested"])
    if deployment.cancel_requested:
        raise Superfluous(CANCELLED)
    head = branches.head(repository.url, deployment.ref)
    if deployment.sha and deployment.sha != head:
        raise Superfluous(_left_behind(deployment, head))
    later = _later(deployment).filter(sha__in=["", head]).first()
    if later is not None:
        raise Superfluous(
            f"Overtaken by #{later.number}, which was asked for later and deploys "
            f"{deployment.ref} as well."
        )


def _later(deployment: Deployment) -> QuerySet[Deployment]:
    """Later pushes to the same branch that were served, or are to be."""
    is_coming = Q(state__in=Deployment.ACTIVE, cancel_requested=False)
    was_served = Q(state=State.SUCCESS) | Q(published_at__isnull=False)
    return Deployment.objects.filter(
        is_coming | was_served,
        site=deployment.site_id,
        trigger=Deployment.Trigger.PUSH,
        environment=deployment.environment,
        ref=deployment.ref,
        number__gt=deployment.number,
    ).only("number")


def _left_behind(deployment: Deployment, head: str) -> str:
    commit, branch = deployment.sha[:7], deployment.ref
    if not head:
        return f"The branch {branch} was deleted; {commit} was not deployed."
    return (
        f"Overtaken: {branch} is at {head[:7]} now, no longer at {commit}. The push of {head[:7]} "
        "deploys it; so does “Deploy now” at the repository."
    )
