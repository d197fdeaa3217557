"""How far a deployment is: its phases and their seconds, its sums while it uploads, its end.

Phases follow one another without a gap, so the one under way began where the times of the others
end.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from celery import current_app
from django.db import transaction
from django.db.models import Q
from django.template.defaultfilters import filesizeformat, pluralize
from django.utils import timezone

from deployments import log
from deployments.edge import index_rows
from deployments.errors import DeploymentRefused
from deployments.models import Deployment, DeploymentEvent, EdgeIndex, Event
from deployments.signals import deployment_changed
from sites.models import Site
from sites.waking import wake

State, Environment = Deployment.State, Deployment.Environment
Level = DeploymentEvent.Level
CANCELLED = "Cancelled. Nothing of it was published."
TELL_EVERY_SECONDS, LOG_EVERY_SECONDS = 1.0, 10.0


class Cancelled(DeploymentRefused):
    """Somebody wanted this deployment to end; it has ended."""


@contextmanager
def deciding(site: Site) -> Iterator[None]:
    """A transaction in which nobody else decides about the site's releases."""
    with transaction.atomic():
        Site.objects.select_for_update(no_key=True).filter(pk=site.pk).first()
        yield


def timings(deployment: Deployment) -> dict[str, float]:
    """Seconds by phase, until now."""
    spent: dict[str, float] = dict(deployment.timings)
    total = (timezone.now() - deployment.created_at).total_seconds()
    running = max(0.0, total - sum(spent.values()))
    spent[deployment.phase] = round(spent.get(deployment.phase, 0.0) + running, 3)
    return spent


def move(deployment: Deployment, phase: str, **changes: object) -> None:
    """Write, as its holder, that the next phase begins."""
    deployment.write(phase=phase, timings=timings(deployment), **changes)


def end(deployment: Deployment, state: str, message: str = "", **changes: object) -> None:
    """The end, written by its holder; who waits is woken. Should a head name a release that is not
    published now, it is recorded that it must not; beat flips."""
    with deciding(deployment.site):
        if deployment.is_previewed and state != State.SUCCESS:
            changes |= {"is_previewed": False, "expires_at": None}
            EdgeIndex.objects.filter(site=deployment.site).update(is_head_written=False)
        deployment.release(
            state=state,
            needs_attention=_needs_attention(deployment, state),
            error_message=message,
            finished_at=timezone.now(),
            timings=timings(deployment),
            **changes,
        )
        _relieve_earlier(deployment, state)
        log.say(deployment, message or _ended(deployment), level=_level(state), is_end=True)
        if not deployment.is_published:
            index_rows.unname(deployment)
        announce(deployment, Event.SUCCEEDED if state == State.SUCCESS else Event.FAILED)

        wake(_hand_on, deployment.site)


def _needs_attention(deployment: Deployment, state: str) -> bool:
    """Whether it has failed and no later one has made up for it, or has failed as well."""
    if state not in Deployment.FAILED:
        return False
    later = Deployment.objects.filter(site=deployment.site, number__gt=deployment.number)
    alike = Q(environment=deployment.environment)
    has_failed = alike & Q(needs_attention=True)
    made_up = (alike | Q(environment=Environment.PRODUCTION)) & Q(state=State.SUCCESS)
    return not later.filter(has_failed | made_up).exists()


def _relieve_earlier(deployment: Deployment, state: str) -> None:
    """Earlier ones that failed need nobody any more, whether this one is as they meant or has
    failed as well; nor does a preview, whose branch may be gone, once something is published."""
    if state == State.INACTIVE:
        return
    earlier = Deployment.objects.filter(
        site=deployment.site, number__lt=deployment.number, needs_attention=True
    )
    if not (state == State.SUCCESS and deployment.environment == Environment.PRODUCTION):
        earlier = earlier.filter(environment=deployment.environment)
    earlier.update(needs_attention=False)


def _ended(deployment: Deployment) -> str:
    if deployment.is_published:
        return "Published: every visitor gets it."
    return "The preview is there." if deployment.is_previewed else "Done."


def _level(state: str) -> str:
    if state in Deployment.FAILED:
        return Level.ERROR
    return Level.INFO if state == State.SUCCESS else Level.WARNING


def announce(deployment: Deployment, event: str) -> None:
    """Tell who listens, once it is committed."""

    def tell() -> None:
        deployment_changed.send_robust(sender=Deployment, deployment=deployment, event=event)

    transaction.on_commit(tell, robust=True)


def _hand_on(site: Site) -> None:
    """Hand to workers who waits and is held by nobody. Should they not hear it, beat finds it."""
    waiting = Deployment.unclaimed().filter(
        site=site, state__in=Deployment.ACTIVE, phase=Deployment.Phase.QUEUE
    )
    for pk in waiting.values_list("pk", flat=True):
        current_app.send_task("deployments.resume_deployment", (pk,))


class Watch:
    """Called with the sums of an upload: writes them down, and hears whether it shall go on."""

    def __init__(self, deployment: Deployment, on_progress: Callable[[int, int], None]) -> None:
        self.deployment = deployment
        self.on_progress = on_progress
        self.told = self.logged = time.monotonic()

    def __call__(self, files: int, sent: int) -> None:
        """Raises Cancelled and LeaseLost."""
        self.on_progress(files, sent)
        if time.monotonic() - self.told < TELL_EVERY_SECONDS:
            return
        self.told = time.monotonic()
        self.deployment.write(uploaded=files, bytes=sent)
        if self.told - self.logged >= LOG_EVERY_SECONDS:
            self.logged = self.told
            log.say(
                self.deployment, f"{files:,} file{pluralize(files)} sent, {filesizeformat(sent)}."
            )
        self.deployment.refresh_from_db(fields=["cancel_requested"])
        if self.deployment.cancel_requested:
            raise Cancelled(CANCELLED)
