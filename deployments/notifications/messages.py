"""The rows of what is to be told; a worker sends them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta
from functools import partial
from typing import Any

from celery import current_app
from django.db import transaction
from django.db.models import Q
from django.dispatch import receiver
from django.utils import timezone

from deployments.models import Deployment, Event, Listener, Message, Repository
from deployments.signals import deployment_changed

State = Deployment.State
KEEP = timedelta(days=30)
# A process that dies between its commit and its signal tells nobody: what ended is looked over.
MISSED_AFTER = timedelta(minutes=2)
MISSED_UNTIL = timedelta(days=1)


@receiver(deployment_changed, dispatch_uid="deployments.notifications")
def on_change(deployment: Deployment, event: str, **_: Any) -> None:
    tell(deployment, event)


def tell(deployment: Deployment, event: str) -> list[Message]:
    """A message to every listener of ``event``, and one for the commit; sent after commit."""
    commit = [None] if repository_of(deployment) else []
    return _enqueue(deployment, event, [*_listeners(deployment, event), *commit])


def tell_missed() -> int:
    """Messages for what ended within the day and was told to nobody; how many."""
    return sum(len(_tell_missing(deployment)) for deployment in _ended())


def due(limit: int = 100) -> Iterable[int]:
    """Primary keys of messages that wait for a try and that nobody holds."""
    waiting = Message.unclaimed().filter(
        status=Message.Status.QUEUED, next_try_at__lte=timezone.now()
    )
    return waiting.order_by("next_try_at").values_list("pk", flat=True)[:limit]


def expire() -> int:
    """Delete messages of more than a month ago; how many."""
    old = Message.objects.filter(created_at__lt=timezone.now() - KEEP)
    deleted, _ = old.exclude(status=Message.Status.QUEUED).delete()
    return deleted


def end_event(deployment: Deployment) -> Event:
    """What became of a deployment that has ended."""
    was_served = deployment.state == State.INACTIVE and deployment.published_at is not None
    return Event.SUCCEEDED if deployment.state == State.SUCCESS or was_served else Event.FAILED


def repository_of(deployment: Deployment) -> Repository | None:
    """Where the commit's status is told: known by name, and with a token."""
    repository = Repository.objects.filter(site=deployment.site_id).first()
    if repository and repository.full_name and repository.status_token:
        return repository if deployment.sha else None
    return None


def send_soon(message: Message) -> None:
    """Wake a worker after commit; beat finds what it did not hear."""
    send = partial(current_app.send_task, "deployments.send_message", (message.pk,))
    transaction.on_commit(send, robust=True)


def _enqueue(
    deployment: Deployment, event: str, receivers: Iterable[Listener | None]
) -> list[Message]:
    with transaction.atomic():
        messages = Message.objects.bulk_create(
            Message(deployment=deployment, event=event, listener=listener) for listener in receivers
        )
        for message in messages:
            send_soon(message)
    return messages


def _listeners(deployment: Deployment, event: str) -> list[Listener]:
    """Who was cancelled or overtaken failed nobody: that is shown at its commit alone."""
    if event == Event.FAILED and deployment.state == State.INACTIVE:
        return []
    return [
        listener
        for listener in Listener.objects.filter(site=deployment.site_id, is_active=True)
        if event in listener.events
    ]


def _ended() -> Iterator[Deployment]:
    now = timezone.now()
    is_listened_to = Q(site__listeners__is_active=True) | ~Q(site__repository=None)
    rows = Deployment.objects.exclude(state__in=Deployment.ACTIVE).filter(
        is_listened_to,
        finished_at__range=(now - MISSED_UNTIL, now - MISSED_AFTER),
    )
    yield from rows.defer("manifest").distinct()


def _tell_missing(deployment: Deployment) -> list[Message]:
    """For whom there is no word of the end, under the deployment's lock: two lookers tell once."""
    event = end_event(deployment)
    with transaction.atomic():
        Deployment.objects.select_for_update().only("pk").get(pk=deployment.pk)
        told = {
            row.listener_id
            for row in Message.objects.filter(deployment=deployment).exclude(event=Event.STARTED)
        }
        missing: list[Listener | None] = [
            listener
            for listener in _listeners(deployment, event)
            if listener.pk not in told and listener.created_at < deployment.created_at
        ]
        if None not in told and repository_of(deployment):
            missing.append(None)
        return _enqueue(deployment, event, missing)
