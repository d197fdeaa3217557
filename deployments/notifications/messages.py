"""The rows of what is to be told; a worker sends them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from celery import current_app
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Coalesce
from django.dispatch import receiver
from django.utils import timezone

from deployments.models import Deployment, Event, Listener, Message, Repository
from deployments.signals import deployment_changed
from sites.models import Site
from sites.signals import site_event
from sites.waking import wake

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
    return sum(len(_tell_missing(deployment)) for deployment in _untold())


def due(limit: int = 100) -> Iterable[int]:
    """Primary keys of messages that wait for a try and that nobody holds."""
    waiting = in_turn(Message.unclaimed())
    return waiting.order_by("next_try_at").values_list("pk", flat=True)[:limit]


def in_turn(messages: QuerySet[Message]) -> QuerySet[Message]:
    """Those of ``messages`` whose time has come."""
    return with_turns(messages).filter(
        is_behind=False, status=Message.Status.QUEUED, next_try_at__lte=timezone.now()
    )


def with_turns(messages: QuerySet[Message]) -> QuerySet[Any]:
    """Each knows whether it ``is_behind`` another. Who is told of a deployment hears it in order:
    while a message is on its way, later ones to the same receiver wait."""
    queued = Message.objects.filter(status=Message.Status.QUEUED)
    earlier = queued.alias(to=Coalesce("listener_id", 0)).filter(
        deployment=OuterRef("deployment"), to=OuterRef("to"), pk__lt=OuterRef("pk")
    )
    return messages.alias(to=Coalesce("listener_id", 0)).annotate(is_behind=Exists(earlier))


def following(message: Message) -> Message | None:
    """What is to be told next of the same deployment to the same receiver."""
    if message.deployment_id is None:
        return None
    later = Message.objects.filter(
        deployment=message.deployment_id,
        listener=message.listener_id,
        status=Message.Status.QUEUED,
        pk__gt=message.pk,
    )
    return later.order_by("pk").first()


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
    wake(current_app.send_task, "deployments.send_message", (message.pk,))


def _enqueue(
    deployment: Deployment, event: str, receivers: Iterable[Listener | None]
) -> list[Message]:
    return enqueue(receivers, site=deployment.site, deployment=deployment, event=event)


def _listeners(deployment: Deployment, event: str) -> list[Listener]:
    """Who was cancelled or overtaken failed nobody: that is shown at its commit alone."""
    if event == Event.FAILED and deployment.state == State.INACTIVE:
        return []
    return list(listening(deployment.site, event))


def listening(site: Site, event: str) -> QuerySet[Listener]:
    """Who hears of it: at the site, at its team, at its account."""
    whose = Q(site=site) | Q(account=site.account_id)
    if site.team_id:
        whose |= Q(team=site.team_id)
    return Listener.objects.filter(whose, is_active=True, events__contains=[event])


@receiver(site_event, dispatch_uid="deployments.notifications.site")
def on_site_event(site: Site, event: str, subject: str, data: dict[str, Any], **_: Any) -> None:
    """Of a site that is going, its people are told as long as there is one."""
    told = {"subject": subject, "data": data}
    enqueue(listening(site, event), site=site, event=event, told=told)


def enqueue(listeners: Iterable[Listener | None], **what: Any) -> list[Message]:
    """A message to each, to be sent after commit; ``what`` are the fields of it."""
    with transaction.atomic():
        messages = Message.objects.bulk_create(
            Message(listener=listener, **what) for listener in listeners
        )
        for message in messages:
            send_soon(message)
    return messages


def _untold() -> QuerySet[Deployment]:
    """What ended within the day, and of whose end there is no message although somebody wants one.

    Those of an end are made together: there are all of them, or none.
    """
    now = timezone.now()
    listeners = Listener.objects.filter(
        Q(site=OuterRef("site"))
        | Q(account=OuterRef("site__account"))
        | Q(team=OuterRef("site__team")),
        is_active=True,
        created_at__lt=OuterRef("created_at"),
    )
    succeeded = Q(state=State.SUCCESS) | Q(state=State.INACTIVE, published_at__isnull=False)
    is_listened_to = succeeded & Exists(listeners.filter(events__contains=[Event.SUCCEEDED])) | Q(
        state__in=Deployment.FAILED
    ) & Exists(listeners.filter(events__contains=[Event.FAILED]))
    repositories = Repository.objects.filter(site=OuterRef("site")).exclude(full_name="")
    has_commit = ~Q(sha="") & Exists(repositories.exclude(status_token=""))
    ended = Deployment.objects.exclude(state__in=Deployment.ACTIVE).filter(
        is_listened_to | has_commit,
        ~Exists(_of_the_end(OuterRef("pk"))),
        finished_at__range=(now - MISSED_UNTIL, now - MISSED_AFTER),
    )
    return ended.select_related("site").defer("manifest")


def _of_the_end(deployment: Deployment | OuterRef) -> QuerySet[Message]:
    return Message.objects.filter(deployment=deployment).exclude(event=Event.STARTED)


def _tell_missing(deployment: Deployment) -> list[Message]:
    """Under the deployment's lock: two lookers tell once."""
    event = end_event(deployment)
    with transaction.atomic():
        Deployment.objects.select_for_update().only("pk").get(pk=deployment.pk)
        if _of_the_end(deployment).exists():
            return []
        listeners = _listeners(deployment, event)
        there = [each for each in listeners if each.created_at < deployment.created_at]
        commit = [None] if repository_of(deployment) else []
        return _enqueue(deployment, event, [*there, *commit])
