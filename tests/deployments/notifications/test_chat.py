"""Chats are told in plain text, where everybody may go; and what else they are told of."""

from __future__ import annotations

from datetime import timedelta
from unittest import mock

import pytest
from django.core import mail
from django.urls import reverse
from django.utils import timezone

from deployments.models import Event, Listener, Message
from deployments.notifications import chat, delivery
from deployments.notifications.addresses import AddressRefused
from sites import drift_checks, operations
from sites.models import Operation, Team
from sites.provisioning import Wait, Waiting
from sites.provisioning.drift import Drift
from sites.store import record_of
from tests.deployments.receiver import Receiver
from tests.factories import (
    AccountFactory,
    DeploymentFactory,
    ListenerFactory,
    MessageFactory,
    OperationFactory,
    ResourceFactory,
    SiteFactory,
)

pytestmark = pytest.mark.django_db

EVIL = "@everyone <!here> [win](https://evil.example) **now** `x`\u202egnp.exe\n\x1b[2J"
SLACK = "https://hooks.slack.com/services/T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ"


@pytest.fixture
def ntfy(receiver: Receiver) -> Listener:
    receiver.reply = lambda request: (200, {}, b"{}")
    address = f"{receiver.url.replace('http', 'ntfy')}/deploys"
    return ListenerFactory(kind="chat", address=chat.check(address), secret=address)


def sent(message: Message) -> Message:
    delivery.send(message.pk)
    return Message.objects.get(pk=message.pk)


# --- Chats ----------------------------------------------------------------------------------------


def test_what_others_wrote_is_text_and_no_more(ntfy, receiver):
    deployment = DeploymentFactory(site=ntfy.site, description=EVIL, error_message="No room.")
    message = sent(MessageFactory(listener=ntfy, deployment=deployment, event=Event.FAILED))
    assert (message.status, message.answer) == ("sent", "Taken by ntfy.")
    (request,) = receiver.requests
    told = request.body.decode()
    assert "Error: No room." in told
    for payload in ("@everyone", "<!here>", "](", "://evil", "**", "\u202e", "\x1b", "`"):
        assert payload not in told
    assert "everyone" in told
    assert delivery.test(ntfy).is_delivered
    assert f"You will hear here of {ntfy.site}" in receiver.requests[-1].body.decode()


@pytest.mark.parametrize("status", [302, 403])
def test_a_chat_that_does_not_take_it_is_tried_again_and_its_answer_kept(ntfy, receiver, status):
    receiver.reply = lambda request: (status, {"Location": f"{receiver.url}/secret"}, b"No.")
    message = sent(MessageFactory(listener=ntfy))
    assert (message.status, message.tries) == ("queued", 1)
    assert message.answer
    assert {request.path for request in receiver.requests} == {"/"}


def test_a_private_address_is_not_reached_by_a_chat_either(settings, receiver):
    settings.CLOUDADMIN_WEBHOOK_NETWORKS = []
    address = f"ntfys://127.0.0.1:{receiver.url.rpartition(':')[2]}/deploys"
    answer = chat.post(address, "title", "text")
    assert not answer.is_delivered
    assert "private address" in answer.said
    assert receiver.requests == []


@pytest.mark.parametrize(
    "address",
    [
        "file:///etc/passwd",
        "json://127.0.0.1/",
        "mailto://user:pass@example.com",
        "nonsense",
        "ntfys://ntfy.example.com/topic?verify=no",
        "workflows://host:443/abc/def?template=/etc/passwd",
    ],
)
def test_what_is_no_chat_is_refused(address):
    with pytest.raises(AddressRefused):
        chat.check(address)


def test_a_chats_address_is_kept_encrypted_and_shown_shortened(admin_client):
    data = {
        "site": SiteFactory().pk,
        "kind": "chat",
        "address": SLACK,
        "events": ["operation.failed"],
        "is_active": "on",
    }
    assert admin_client.post(reverse("admin:deployments_listener_add"), data).status_code == 302
    row = Listener.objects.get()
    assert (row.secret, "TIiajk" in row.address) == (SLACK, False)
    url = reverse("admin:deployments_listener_change", args=[row.pk])
    content = admin_client.get(url).content.decode()
    assert row.address in content
    assert "TIiajk" not in content
    admin_client.post(url, {"address": row.address, "events": ["drift.found"], "is_active": "on"})
    row.refresh_from_db()
    assert (row.secret, row.events) == (SLACK, ["drift.found"])
    refused = admin_client.post(url, {"address": "file:///etc/passwd", "events": ["drift.found"]})
    assert "no chat that is known" in refused.content.decode()


# --- Events of a site -----------------------------------------------------------------------------


def test_a_site_a_team_and_an_account_hear_of_what_failed(settings):
    settings.IS_MAIL_READY = True
    team = Team.objects.create(name="Shops")
    site = SiteFactory(team=team)
    operation = OperationFactory(site=site)
    own = ListenerFactory(site=site, mailbox=True)
    of_team = ListenerFactory(site=None, team=team)
    of_account = ListenerFactory(site=None, account=site.account)
    ListenerFactory(site=None, account=AccountFactory())
    ListenerFactory(site=None, team=Team.objects.create(name="Others"))
    ListenerFactory(site=site, events=[Event.STARTED])
    ListenerFactory(site=SiteFactory())
    operations._fail(operation, Operation.Status.FAILURE, "AWS refused CreateBucket.")
    messages = Message.objects.order_by("listener")
    assert [message.listener for message in messages] == [own, of_team, of_account]
    assert sent(messages[0]).status == "sent"
    (letter,) = mail.outbox
    assert letter.subject == f"{site.name}: provision has failed"
    assert "Error: AWS refused CreateBucket." in letter.body


def test_a_wait_with_something_to_do_is_told_once(receiver):
    receiver.reply = lambda request: (204, {}, b"")
    operation = OperationFactory()
    listener = ListenerFactory(site=operation.site, address=f"{receiver.url}/hook")
    now = timezone.now()
    quiet = Wait("distribution", "CloudFront is at it", now, now + timedelta(minutes=1))
    mine = Wait("certificate", "No record yet.", now, now, todo="Add the CNAME at your DNS.")
    for waits in ((quiet,), (quiet, mine), (quiet, mine)):
        assert operation.claim()
        operations._settle(operation, Waiting(waits))
    message = Message.objects.get()
    assert (message.listener, message.event) == (listener, Event.WAITING)
    sent(message)
    assert receiver.requests[0].json["data"]["waits"] == [
        {"what": "certificate", "why": "No record yet.", "todo": "Add the CNAME at your DNS."}
    ]


def test_drift_is_told_when_it_is_new(monkeypatch):
    row = ResourceFactory()
    ListenerFactory(site=row.site)
    drift = Drift("bucket", "bucket", "Bucket", "Tags", "a", "b")
    monkeypatch.setattr(drift_checks, "record_of", mock.Mock(spec=record_of))
    monkeypatch.setattr(drift_checks, "look", lambda *_: (None, [drift]))
    for _ in range(2):
        row.refresh_from_db()
        drift_checks._read([row], mock.Mock(spec=()))
    message = Message.objects.get()
    assert (message.event, message.told["data"]["changes"]) == (Event.DRIFT, [drift.sentence])


def test_the_log_shows_what_is_about_no_deployment(admin_client):
    site = SiteFactory()
    listener = ListenerFactory(site=site)
    row = Message.objects.create(
        site=site, listener=listener, event=Event.DRIFT, told={"subject": "x", "data": {}}
    )
    page = reverse("admin:deployments_listener_change", args=[listener.pk])
    for url in (
        page,
        reverse("admin:deployments_message_changelist"),
        reverse("admin:deployments_message_change", args=[row.pk]),
    ):
        content = admin_client.get(url).content.decode()
        assert "Changed on AWS" in content
        assert site.name in content
