"""Messages reach their receivers, signed, and again until they do."""

from __future__ import annotations

from datetime import timedelta
from unittest import mock

import pytest
from django.core import mail
from django.utils import timezone
from standardwebhooks.webhooks import Webhook

from cloudadmin.celery import app
from deployments.models import Event, Listener, Message
from deployments.notifications import delivery, due, expire, github, tell, tell_missed
from deployments.notifications.answers import Answer
from deployments.signals import deployment_changed
from tests.deployments.receiver import Receiver
from tests.factories import (
    DeploymentFactory,
    ListenerFactory,
    MessageFactory,
    RepositoryFactory,
    SiteFactory,
    UserFactory,
)

pytestmark = pytest.mark.django_db

Status = Message.Status


@pytest.fixture
def listener(receiver: Receiver) -> Listener:
    return ListenerFactory(address=f"{receiver.url}/hook")


def send(message: Message) -> Message:
    Message.objects.filter(pk=message.pk).update(next_try_at=timezone.now())
    delivery.send(message.pk)
    return Message.objects.get(pk=message.pk)


def aged(message: Message, **ago: int) -> Message:
    """As if it had been made so long ago."""
    Message.objects.filter(pk=message.pk).update(created_at=timezone.now() - timedelta(**ago))
    return message


# --- What is told to whom -------------------------------------------------------------------------


def test_a_listener_hears_the_events_it_asked_for():
    site = SiteFactory()
    every = ListenerFactory(site=site)
    ListenerFactory(site=site, events=[Event.FAILED])
    ListenerFactory(site=site, is_active=False)
    ListenerFactory()
    deployment = DeploymentFactory(site=site)
    deployment_changed.send(sender=type(deployment), deployment=deployment, event=Event.STARTED)
    assert [row.listener for row in Message.objects.all()] == [every]


def test_a_commit_is_told_when_there_is_one_and_a_token():
    with_token = RepositoryFactory(status_token="ghp_1")
    tell(DeploymentFactory(site=with_token.site, sha="a" * 40), Event.STARTED)
    tell(DeploymentFactory(site=with_token.site), Event.STARTED)
    tell(DeploymentFactory(site=RepositoryFactory().site, sha="a" * 40), Event.STARTED)
    tell(DeploymentFactory(sha="a" * 40), Event.STARTED)
    assert Message.objects.get().listener is None


def test_an_end_that_nobody_told_is_told_once():
    listener = ListenerFactory()
    Listener.objects.update(created_at=timezone.now() - timedelta(days=2))
    ended = timezone.now() - timedelta(minutes=5)
    missed = DeploymentFactory(site=listener.site, finished_at=ended, state="failure")
    told = DeploymentFactory(site=listener.site, finished_at=ended, state="success")
    MessageFactory(listener=listener, deployment=told, event=Event.SUCCEEDED)
    DeploymentFactory(site=listener.site, finished_at=ended, state="inactive")  # overtaken
    DeploymentFactory(site=listener.site, finished_at=timezone.now(), state="success")
    DeploymentFactory(site=listener.site, state="in_progress")
    assert (tell_missed(), tell_missed()) == (1, 0)
    message = Message.objects.exclude(deployment=told).get()
    assert (message.deployment, message.event) == (missed, Event.FAILED)


def test_the_commit_of_who_was_overtaken_hears_of_it():
    repository = RepositoryFactory(status_token="ghp_1")
    ended = timezone.now() - timedelta(minutes=5)
    DeploymentFactory(site=repository.site, sha="a" * 40, state="inactive", finished_at=ended)
    assert (tell_missed(), tell_missed()) == (1, 0)


def test_looking_for_what_was_missed_is_one_query(django_assert_num_queries):
    repository = RepositoryFactory(status_token="")
    site, ended = repository.site, timezone.now() - timedelta(minutes=5)
    ListenerFactory(site=site, events=[Event.STARTED])
    listener = ListenerFactory(site=site, events=[Event.SUCCEEDED])
    Listener.objects.update(created_at=timezone.now() - timedelta(days=2))
    for state in ("failure", "error", "inactive", "success"):
        last = DeploymentFactory(site=site, sha="a" * 40, state=state, finished_at=ended)
    MessageFactory(listener=listener, deployment=last, event=Event.SUCCEEDED)
    with django_assert_num_queries(1):
        assert tell_missed() == 0


# --- In order -------------------------------------------------------------------------------------


def test_the_end_waits_for_the_beginning_at_each_receiver(listener, receiver):
    deployment = DeploymentFactory(site=listener.site)
    first = MessageFactory(listener=listener, deployment=deployment, event=Event.STARTED)
    other = MessageFactory(listener=ListenerFactory(), deployment=deployment)
    second = MessageFactory(listener=listener, deployment=deployment)
    assert set(due()) == {first.pk, other.pk}
    receiver.reply = lambda request: (503, {}, b"")
    assert send(first).status == Status.QUEUED
    assert (send(second).status, len(receiver.requests)) == (Status.QUEUED, 1)
    receiver.reply = lambda request: (204, {}, b"")
    assert (send(first).status, send(second).status) == (Status.SENT, Status.SENT)
    assert [request.json["type"] for request in receiver.requests[1:]] == [
        "deployment.started",
        "deployment.succeeded",
    ]


def test_what_waited_is_sent_as_soon_as_it_may(
    listener, monkeypatch, django_capture_on_commit_callbacks
):
    woken = []
    monkeypatch.setattr(app, "send_task", lambda name, args: woken.append((name, args)))
    deployment = DeploymentFactory(site=listener.site)
    first = MessageFactory(listener=listener, deployment=deployment, event=Event.STARTED)
    second = MessageFactory(listener=listener, deployment=deployment)
    with django_capture_on_commit_callbacks(execute=True):
        send(first)
    assert woken == [("deployments.send_message", (second.pk,))]


def test_a_commit_is_not_told_the_same_twice(monkeypatch):
    report = mock.create_autospec(github.report, return_value=Answer(True, "Told."))
    monkeypatch.setattr(github, "report", report)
    deployment = DeploymentFactory()
    begun = MessageFactory(listener=None, deployment=deployment, event=Event.STARTED)
    ended = MessageFactory(listener=None, deployment=deployment)
    assert (send(begun).status, report.call_count) == (Status.SENT, 0)
    assert (send(ended).status, report.call_count) == (Status.SENT, 1)
    delivery.again(begun)
    assert (send(begun).status, report.call_count) == (Status.SENT, 2)


# --- Webhooks -------------------------------------------------------------------------------------


def test_a_webhook_is_signed_and_says_what_happened(listener, receiver):
    message = send(MessageFactory(listener=listener, deployment__sha="f" * 40))
    assert (message.status, message.answer) == (Status.SENT, "204 No Content")
    (request,) = receiver.requests
    said = Webhook(listener.secret).verify(request.body, request.headers)
    assert said["type"] == "deployment.succeeded"
    assert said["data"]["site"] == listener.site.name
    assert said["data"]["sha"] == "f" * 40
    assert said["data"]["state"] == "success"


def test_every_try_has_the_same_id_and_body(listener, receiver):
    receiver.reply = lambda request: (500, {}, b"later\n please")
    message = MessageFactory(listener=listener)
    waits = []
    for _ in delivery.DELAYS:
        message = send(message)
        assert (message.status, message.is_held) == (Status.QUEUED, False)
        waits.append(round((message.next_try_at - timezone.now()).total_seconds() / 60))
    assert waits == [1, 5, 30, 120, 720]
    message = send(message)
    assert (message.status, message.tries) == (Status.FAILURE, 6)
    assert message.answer == "500 Internal Server Error: later please"
    assert len({request.headers["webhook-id"] for request in receiver.requests}) == 1
    assert len({request.body for request in receiver.requests}) == 1
    send(message)
    assert len(receiver.requests) == 6


def test_a_message_is_sent_by_one_worker_and_not_before_its_time(listener, receiver):
    held = MessageFactory(listener=listener)
    assert held.claim()
    early = MessageFactory(listener=listener, next_try_at=timezone.now() + timedelta(hours=1))
    delivery.send(held.pk)
    delivery.send(early.pk)
    assert not receiver.requests
    assert not list(due())
    MessageFactory(listener=listener, status=Status.SENT)
    waiting = MessageFactory(listener=listener)
    assert list(due()) == [waiting.pk]


def test_redirects_are_not_followed(listener, receiver):
    receiver.reply = lambda request: (302, {"Location": f"{receiver.url}/secret"}, b"")
    message = send(MessageFactory(listener=listener))
    assert "redirects are not followed" in message.answer
    assert [request.path for request in receiver.requests] == ["/hook"]


def test_an_endless_answer_is_read_to_its_beginning_only(listener, receiver):
    # It promises more than it sends: who would read it whole would wait.
    headers = {"Content-Length": str(10**9)}
    receiver.reply = lambda request: (400, headers, b"no " * 10_000)
    message = send(MessageFactory(listener=listener))
    assert message.answer.startswith("400 Bad Request: no no no")


def test_an_address_that_became_private_is_not_called(listener, receiver, settings):
    settings.CLOUDADMIN_WEBHOOK_NETWORKS = []
    listener.address = listener.address.replace("http:", "https:")
    listener.save()
    message = send(MessageFactory(listener=listener))
    assert "private address" in message.answer
    assert (message.status, receiver.requests) == (Status.QUEUED, [])


def test_nobody_there_is_no_answer(listener):
    listener.address = "http://127.0.0.1:1/"
    listener.save()
    assert send(MessageFactory(listener=listener)).answer.startswith("No answer")


def test_a_message_can_be_sent_again_by_hand(listener, receiver):
    message = send(MessageFactory(listener=listener))
    delivery.again(message)
    assert send(message).status == Status.SENT
    first, second = receiver.requests
    assert first.headers["webhook-id"] == second.headers["webhook-id"]


def test_a_mistake_of_ours_is_said_and_tried_again(listener, monkeypatch, caplog):
    Listener.objects.filter(pk=listener.pk).update(kind="webhook", secret="whsec_")
    message = send(MessageFactory(listener=listener))
    assert (message.status, "itself failed" in message.answer) == (Status.QUEUED, True)


# --- Patience -------------------------------------------------------------------------------------


def test_who_took_nothing_for_three_days_is_switched_off_and_others_are_told(listener, receiver):
    ListenerFactory(site=listener.site, mailbox=True)
    UserFactory(is_superuser=True, email="admin@example.com")
    receiver.reply = lambda request: (503, {}, b"")
    MessageFactory(listener=listener, status=Status.SENT, tries=1, sent_at=timezone.now())
    aged(MessageFactory(listener=listener, status=Status.FAILURE, tries=6), days=4)
    send(MessageFactory(listener=listener))
    listener.refresh_from_db()
    assert listener.is_active, "it took one since"
    Message.objects.filter(status=Status.SENT).delete()
    send(MessageFactory(listener=listener))
    listener.refresh_from_db()
    assert not listener.is_active
    assert {to for letter in mail.outbox for to in letter.to} == {
        "admin@example.com",
        "ops@example.com",
    }
    assert "503" in mail.outbox[0].body
    last = send(MessageFactory(listener=listener))
    assert (last.status, last.answer) == (Status.FAILURE, "The listener is switched off.")


def test_who_says_it_is_gone_is_not_asked_again(listener, receiver):
    receiver.reply = lambda request: (410, {}, b"")
    message = send(MessageFactory(listener=listener))
    listener.refresh_from_db()
    assert (message.status, listener.is_active) == (Status.FAILURE, False)


# --- Letters and commits --------------------------------------------------------------------------


def test_a_letter_says_what_happened(settings):
    settings.IS_MAIL_READY = True
    deployment = DeploymentFactory(error_message="AWS said SlowDown.", description="Spring")
    listener = ListenerFactory(site=deployment.site, mailbox=True)
    message = send(MessageFactory(listener=listener, deployment=deployment, event=Event.FAILED))
    assert message.status == Status.SENT
    (letter,) = mail.outbox
    assert letter.to == ["ops@example.com"]
    assert letter.subject == f"{deployment.site}: deployment #{deployment.number} has failed"
    assert "Error: AWS said SlowDown." in letter.body
    assert "Description: Spring" in letter.body


def test_without_a_mail_server_the_log_says_so(settings):
    settings.IS_MAIL_READY = False
    message = send(MessageFactory(listener=ListenerFactory(mailbox=True)))
    assert (message.status, "EMAIL_HOST" in message.answer) == (Status.FAILURE, True)


def test_a_status_of_a_commit_is_githubs(monkeypatch):
    report = mock.create_autospec(github.report, return_value=Answer(True, "Told."))
    monkeypatch.setattr(github, "report", report)
    deployment = DeploymentFactory()
    message = send(MessageFactory(listener=None, deployment=deployment))
    assert (message.status, message.answer) == (Status.SENT, "Told.")
    report.assert_called_once_with(deployment)


def test_the_log_is_kept_for_a_month():
    aged(MessageFactory(status=Status.SENT), days=31)
    kept = [aged(MessageFactory(), days=31), MessageFactory(status=Status.FAILURE)]
    assert expire() == 1
    assert set(Message.objects.all()) == set(kept)
