"""Celery entry points: thin, idempotent, safe to deliver twice."""

from __future__ import annotations

from celery import shared_task

from deployments import (
    invalidations,
    launches,
    notifications,
    operations,
    pictures,
    previews,
    pushes,
    retention,
    rollback,
    uploads,
)
from deployments.bulk import runs
from deployments.notifications import delivery
from sites.store import locked


@shared_task(name="deployments.resume_deployment")
def resume_deployment(pk: int) -> None:
    pause = operations.resume(pk)
    if pause is not None:
        resume_deployment.apply_async((pk,), countdown=pause)


@shared_task(name="deployments.deploy_upload")
def deploy_upload(pk: int) -> None:
    if uploads.run(pk):
        resume_deployment.delay(pk)


@shared_task(name="deployments.requeue_deployments")
def requeue_deployments() -> None:
    """Finish what a killed process left under way."""
    for deployment in operations.due():
        if pushes.is_waiting(deployment):
            deploy_push.delay(deployment.pk)
            continue
        if launches.is_fetching(deployment):
            fetch_launch.delay(deployment.pk)
            continue
        task = deploy_upload if uploads.is_waiting(deployment) else resume_deployment
        task.delay(deployment.pk)


@shared_task(name="deployments.write_heads")
def write_heads() -> None:
    """Flip what was recorded and not yet written: after a crash, or when a site got a new host.
    Each site by itself: an account that does not answer holds up no other."""
    for pk in rollback.sites_with_unwritten_head().values_list("pk", flat=True):
        write_head.delay(pk)


@shared_task(name="deployments.write_head", soft_time_limit=60)
def write_head(pk: int) -> None:
    with locked("deployments.write_head", pk) as is_ours:
        site = rollback.sites_with_unwritten_head().filter(pk=pk).first() if is_ours else None
        if site is not None:
            rollback.write_head(site)


@shared_task(name="deployments.send_invalidation")
def send_invalidation(pk: int) -> None:
    pause = invalidations.advance(pk)
    if pause is not None:
        send_invalidation.apply_async((pk,), countdown=pause)


@shared_task(name="deployments.poll_invalidations")
def poll_invalidations() -> None:
    for pk in invalidations.due():
        send_invalidation.delay(pk)


@shared_task(name="deployments.deploy_push")
def deploy_push(pk: int) -> None:
    if pushes.run(pk):
        resume_deployment.delay(pk)


@shared_task(name="deployments.fetch_launch")
def fetch_launch(pk: int) -> None:
    if launches.fetch(pk):
        resume_deployment.delay(pk)


@shared_task(name="deployments.advance_launch")
def advance_launch(pk: int) -> None:
    launches.advance(pk)


@shared_task(name="deployments.advance_launches")
def advance_launches() -> None:
    """Carry on what a killed process left, and what waited for its site."""
    for pk in launches.due().values_list("pk", flat=True):
        advance_launch.delay(pk)


@shared_task(name="deployments.send_message", soft_time_limit=60)
def send_message(pk: int) -> None:
    delivery.send(pk)


@shared_task(name="deployments.requeue_messages")
def requeue_messages() -> None:
    for pk in notifications.due():
        send_message.delay(pk)


@shared_task(name="deployments.tell_missed")
def tell_missed() -> None:
    notifications.tell_missed()


@shared_task(name="deployments.tell_notices")
def tell_notices() -> None:
    with locked("deployments.tell_notices", 0) as is_ours:
        if is_ours:
            notifications.tell_notices()


@shared_task(name="deployments.tidy_logs")
def tidy_logs() -> None:
    notifications.expire()
    pushes.expire()
    launches.expire()


@shared_task(name="deployments.expire_previews")
def expire_previews() -> None:
    previews.expire()


@shared_task(name="deployments.take_pictures")
def take_pictures() -> None:
    """Of one site, the one that was published last: a picture is never in the way of a release."""
    with locked("deployments.take_pictures", 0) as is_ours:
        if is_ours:
            pictures.take_next()


@shared_task(name="deployments.tidy_releases")
def tidy_releases() -> None:
    """Give up old deployments; delete what nobody needs any more."""
    retention.tidy_all()


@shared_task(name="deployments.run_bulk")
def run_bulk(pk: int) -> None:
    pause = runs.advance(pk)
    if pause is not None:
        run_bulk.apply_async((pk,), countdown=pause)


@shared_task(name="deployments.requeue_bulk")
def requeue_bulk() -> None:
    for pk in runs.due():
        run_bulk.delay(pk)
