"""The steps of a deployment in the lane: index -> settle -> flip -> verify.

Each is called with the deployment held, returns the seconds to wait before the next one, None at
the end, and can be repeated: a crash anywhere is continued.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from django.conf import settings
from django.template.defaultfilters import pluralize
from django.utils import timezone

from deployments import lane, log, previews, publish
from deployments import manifest as manifests
from deployments.edge import index_rows, verification
from deployments.manifest import Manifest
from deployments.models import Deployment, DeploymentEvent
from deployments.progress import CANCELLED, deciding, end, move

if TYPE_CHECKING:
    from cloudadmin.aws import Clients
    from deployments.target import Target

State, Phase, Environment = Deployment.State, Deployment.Phase, Deployment.Environment

WAIT = 0.5
VERIFY_FOR = timedelta(seconds=60)
VERIFY_EVERY = 0.25
DISPLACED = "While it was checked, another deployment was chosen to be served."


def queue(deployment: Deployment, target: Target, clients: Clients) -> float | None:
    """Into the lane when it is free; out of the queue when a newer one was published."""
    with deciding(deployment.site):
        newer = lane.overtaken_by(deployment)
        if newer is not None:
            end(deployment, State.INACTIVE, lane.overtaken(newer))
            return None
        if before := lane.before(deployment):
            first, more = before[0], f" and {len(before) - 1} more" if before[1:] else ""
            log.say_news(deployment, f"Waits for #{first.number}{more}, which come first.")
            return WAIT
        if _is_to_be_published(deployment) and publish.take_over(deployment):
            log.say(deployment, "It is what visitors get already: nothing changes at the edge.")
            end(deployment, State.SUCCESS, phase=Phase.DONE)
            return None
        move(deployment, Phase.INDEX)
    return 0.0


def index(deployment: Deployment, target: Target, clients: Clients) -> float:
    """The records first: harmless, no head reaches them yet.

    They settle also when none was written here: a process that was killed may have done it just
    before, or a deployment that was cancelled.
    """
    manifest = publish.manifest_of(deployment)
    index_rows.make_room(deployment.site, clients, target.store_arn)
    with deciding(deployment.site):
        index_rows.prepare(deployment, manifest)
    index_rows.write(deployment.site, clients, target.store_arn)
    seconds: float = settings.CLOUDADMIN_SETTLE_SECONDS
    log.say(
        deployment,
        f"The edge index has it as release {deployment.release_number}; every point of presence "
        f"gets that within {seconds:g} s.",
    )
    move(deployment, Phase.SETTLE, phase_until=timezone.now() + timedelta(seconds=seconds))
    return seconds


def settle(deployment: Deployment, target: Target, clients: Clients) -> float | None:
    """Wait; then decide, once and for all, whether to publish."""
    left = (deployment.phase_until or timezone.now()) - timezone.now()
    if left > timedelta(0):
        return left.total_seconds()
    with deciding(deployment.site):
        deployment.refresh_from_db(fields=["cancel_requested"])
        if deployment.cancel_requested:
            end(deployment, State.INACTIVE, CANCELLED)
            return None
        if deployment.environment == Environment.PRODUCTION:
            if not _is_to_be_published(deployment):
                # It is read when that may be over.
                because = lane.stopped_because(deployment.site, verb="was")
                ready = "Ready to be published." + (f" {because}." if because else "")
                end(deployment, State.SUCCESS, ready, phase=Phase.DONE)
                return None
            index_rows.settled(deployment.site)
            index_rows.name_head(deployment.site, deployment.release_number)
        move(deployment, Phase.FLIP)
    return 0.0


def flip(deployment: Deployment, target: Target, clients: Clients) -> float:
    """The head that was recorded, or the one of a later rollback; a preview has one of its own."""
    if deployment.environment == Environment.PREVIEW:
        previews.serve(deployment, target, clients)
    else:
        before = publish.published(deployment.site)
        if publish.has_another_error_page(before, deployment):
            publish.put_error_page(publish.manifest_of(deployment), target, clients)
        publish.flip(deployment.site, target, clients)
    hosts = 1 if deployment.environment == Environment.PREVIEW else len(target.hosts)
    log.say(deployment, f"Visitors of {hosts} host{pluralize(hosts)} get it from now on.")
    move(deployment, Phase.VERIFY, phase_until=timezone.now() + VERIFY_FOR)
    return 0.0


def verify(deployment: Deployment, target: Target, clients: Clients) -> float | None:
    """Ask the edge. The first answers may be of the release before: it takes a moment to arrive."""
    site = deployment.site
    before = publish.published(site)
    wanted = _wanted(deployment, before)
    mismatch = verification.check(target, wanted, _host(deployment))
    with deciding(site):
        if not _is_named(deployment):
            end(deployment, State.INACTIVE, DISPLACED)
        elif mismatch is None:
            asked = len(wanted.files) + len(wanted.gone)
            said = f"Asked the edge for {asked:,} path{pluralize(asked)}: all as deployed."
            log.say(deployment, said if asked else "", wanted.skipped)
            _succeed(deployment, wanted.skipped)
        elif deployment.phase_until and timezone.now() < deployment.phase_until:
            not_yet = f"Not everywhere yet: “{mismatch.path}”, {mismatch.reason}."
            log.say_news(deployment, not_yet, level=DeploymentEvent.Level.WARNING)
            return VERIFY_EVERY
        else:
            end(deployment, State.FAILURE, _taken_back(mismatch))
    if deployment.state != State.SUCCESS:
        publish.restore(site, target, clients)
    return None


def _wanted(deployment: Deployment, before: Deployment | None) -> verification.Expected:
    manifest = publish.manifest_of(deployment)
    diff = manifests.diff(publish.manifest_of(before) if before else Manifest({}), manifest)
    return verification.expected(deployment.site, manifest, diff.to_upload(), diff.deleted)


def _host(deployment: Deployment) -> str:
    is_preview = deployment.environment == Environment.PREVIEW
    return previews.host_of(deployment) if is_preview else ""


def _is_named(deployment: Deployment) -> bool:
    """Whether heads shall name it still: somebody may have rolled back, or closed the preview."""
    if deployment.environment == Environment.PREVIEW:
        return Deployment.objects.filter(pk=deployment.pk, is_previewed=True).exists()
    return index_rows.is_named(deployment)


def _succeed(deployment: Deployment, skipped: str) -> None:
    if deployment.environment == Environment.PRODUCTION:
        publish.mark_published(deployment)
    warnings = [*deployment.warnings, *([skipped] if skipped else [])]
    end(deployment, State.SUCCESS, phase=Phase.DONE, warnings=warnings)


def _is_to_be_published(deployment: Deployment) -> bool:
    """A person who names a deployment means it, whatever stops the others."""
    return deployment.environment == Environment.PRODUCTION and (
        deployment.trigger == Deployment.Trigger.ROLLBACK
        or not lane.stopped_because(deployment.site)
    )


def _taken_back(mismatch: verification.Mismatch) -> str:
    return f"Taken back: “{mismatch.path}” was not what was deployed; {mismatch.reason}."
