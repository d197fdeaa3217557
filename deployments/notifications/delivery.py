"""One try of one message, and what comes of it: sent, tried again later, or given up."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from uuid import uuid4

from django.db.models import F, Max
from django.utils import timezone

from deployments.models import Listener, Message
from deployments.notifications import chat, github, mail, post, words
from deployments.notifications.answers import Answer
from deployments.notifications.messages import following, in_turn, send_soon
from sites.models.lease import LeaseLost

logger = logging.getLogger(__name__)

Status = Message.Status
# Until the next try.
DELAYS = (
    timedelta(minutes=1),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=12),
)
# A listener that took nothing for so long is switched off.
PATIENCE = timedelta(days=3)


def send(pk: int) -> None:
    """Safe to call twice: whoever claims the message sends it, the others leave."""
    messages = Message.objects.select_related(
        "listener", "site", "account", "deployment__site__repository"
    )
    message = in_turn(messages.defer("deployment__manifest")).filter(pk=pk).first()
    if message is None or not message.claim(tries=F("tries") + 1):
        return
    try:
        with message.heartbeat():
            answer = attempt(message)
        _conclude(message, answer)
    except LeaseLost:
        logger.info("message %s is sent by another worker", pk)


def attempt(message: Message) -> Answer:
    """Tell the receiver now."""
    listener = message.listener
    try:
        if listener is None:
            return _report(message)
        if not listener.is_active:
            return Answer(False, "The listener is switched off.", is_final=True)
        name = words.message_id(message)
        if listener.kind == Listener.Kind.EMAIL:
            return mail.deliver(
                listener.address, words.subject(message), words.letter(message), name
            )
        if listener.kind == Listener.Kind.CHAT:
            return chat.post(listener.secret, *words.chat(message))
        return post.post(listener.address, listener.secret, name, words.body(message))
    except Exception:
        logger.exception("message %s could not be sent by a mistake of ours", message.pk)
        return Answer(False, "cloudadmin itself failed here; the worker's log has the details.")


def _report(message: Message) -> Answer:
    """What is reported is how the deployment stands now: of two messages one is enough."""
    if following(message):
        return Answer(True, "GitHub hears of what came after it.")
    if message.deployment is None:
        return Answer(False, "There is no commit to tell of.", is_final=True)
    return github.report(message.deployment)


def again(message: Message) -> bool:
    """Begin the tries anew, because a person asked for it; False while one is under way."""
    return bool(
        Message.unclaimed()
        .filter(pk=message.pk)
        .update(status=Status.QUEUED, tries=0, attempts=0, next_try_at=timezone.now(), sent_at=None)
    )


def all_again(listener: Listener) -> int:
    """Have what waits for another try sent as soon as beat looks: it takes messages again. How
    many these are."""
    waiting = Message.unclaimed().filter(listener=listener, status=Status.QUEUED, tries__gt=0)
    return waiting.update(next_try_at=timezone.now())


def test(listener: Listener) -> Answer:
    """Have a listener told now that it would be told."""
    name = f"msg_test_{uuid4().hex}"
    if listener.kind == Listener.Kind.EMAIL:
        subject = f"{words.plain(listener.about)}: a test of notifications"
        return mail.deliver(listener.address, subject, words.test_letter(listener), name)
    if listener.kind == Listener.Kind.CHAT:
        return chat.post(listener.secret, "A test of notifications", words.test_letter(listener))
    return post.post(listener.address, listener.secret, name, words.test_body(listener))


def _conclude(message: Message, answer: Answer) -> None:
    now, said = timezone.now(), answer.said[:300]
    if answer.is_delivered:
        message.release(status=Status.SENT, answer=said, sent_at=now)
    elif answer.is_final or answer.is_gone or message.tries > len(DELAYS):
        message.release(status=Status.FAILURE, answer=said)
    else:
        message.release(answer=said, next_try_at=now + DELAYS[message.tries - 1])
    if message.listener is not None and not answer.is_delivered:
        _lose_patience(message.listener, answer)
    if message.status != Status.QUEUED and (next_one := following(message)):
        send_soon(next_one)


def _lose_patience(listener: Listener, answer: Answer) -> None:
    """Switch off who wants to hear nothing, or took nothing for days."""
    since = failing_since(listener)
    has_failed_for_long = since is not None and since < timezone.now() - PATIENCE
    if not (answer.is_gone or has_failed_for_long):
        return
    if Listener.objects.filter(pk=listener.pk, is_active=True).update(is_active=False):
        mail.tell_switched_off(
            listener,
            f"{listener.address} took no message for three days. Its last answer: {answer.said}"
            if has_failed_for_long
            else f"{listener.address} answered that it is gone.",
        )


def failing_since(listener: Listener) -> datetime | None:
    """When the first message was made that it did not take, of those after the last it took."""
    messages = listener.messages.filter(tries__gt=0)
    taken = messages.filter(status=Status.SENT).aggregate(last=Max("sent_at"))["last"]
    if taken is not None:
        messages = messages.filter(created_at__gt=taken)
    first = messages.exclude(status=Status.SENT).order_by("created_at").first()
    return first.created_at if first else None
