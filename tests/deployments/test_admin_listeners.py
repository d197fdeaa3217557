"""The pages of listeners and of what they were sent."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core import mail
from django.urls import reverse
from django.utils import timezone
from standardwebhooks.webhooks import Webhook

from cloudadmin.celery import app
from deployments.models import Listener, Message
from sites.models import Role
from tests.factories import (
    DeploymentFactory,
    ListenerFactory,
    MessageFactory,
    SiteFactory,
    member,
)

pytestmark = pytest.mark.django_db

EVENTS = ["deployment.succeeded", "deployment.failed"]


def page(row: Listener | Message, action: str = "change") -> str:
    return reverse(f"admin:deployments_{row._meta.model_name}_{action}", args=[row.pk])


def added(admin_client, **changes: object):
    data = {
        "site": SiteFactory().pk,
        "kind": "webhook",
        "address": "https://hooks.example.com/shop",
        "events": EVENTS,
        "is_active": "on",
        **changes,
    }
    return admin_client.post(reverse("admin:deployments_listener_add"), data)


def test_a_webhook_is_added_and_its_secret_shown_once(admin_client):
    response = added(admin_client)
    row = Listener.objects.get()
    assert row.secret.startswith("whsec_")
    assert row.secret in response.content.decode()
    assert row.events == EVENTS
    assert row.secret not in admin_client.get(page(row)).content.decode()


def test_a_mailbox_is_added_without_a_secret_to_copy_and_leads_to_its_test(admin_client):
    response = added(admin_client, kind="email", address="ops@example.com")
    row = Listener.objects.get()
    assert (row.kind, response.url) == ("email", page(row))


@pytest.mark.parametrize(
    ("kind", "address"),
    [
        ("webhook", "http://hooks.example.com/"),
        ("webhook", "https://ada:secret@hooks.example.com/"),
        ("webhook", "ops@example.com"),
        ("email", "https://hooks.example.com/"),
        ("email", ""),
    ],
)
def test_what_is_no_address_is_refused(admin_client, settings, kind, address):
    settings.CLOUDADMIN_WEBHOOK_NETWORKS = []
    assert added(admin_client, kind=kind, address=address).status_code == 200
    assert not Listener.objects.exists()


def test_a_test_is_sent_at_once_and_its_answer_shown(admin_client, receiver):
    row, later = (
        ListenerFactory(address=f"{receiver.url}/hook"),
        timezone.now() + timedelta(hours=2),
    )
    waiting = MessageFactory(listener=row, tries=3, next_try_at=later)
    response = admin_client.post(page(row, "test"), follow=True)
    assert "204 No Content" in response.content.decode()
    waiting.refresh_from_db()
    assert waiting.next_try_at <= timezone.now()
    (request,) = receiver.requests
    assert Webhook(row.secret).verify(request.body, request.headers)["type"] == "test"
    receiver.reply = lambda request: (500, {}, b"Broken.")
    response = admin_client.post(page(row, "test"))
    assert "500 Internal Server Error: Broken." in response.content.decode()


def test_a_mailbox_is_tested_by_a_letter(admin_client, settings):
    settings.IS_MAIL_READY = True
    admin_client.post(page(ListenerFactory(mailbox=True), "test"))
    assert mail.outbox[0].to == ["ops@example.com"]


def test_a_new_secret_signs_from_then_on(admin_client):
    row = ListenerFactory()
    before = row.secret
    content = admin_client.post(page(row, "new-secret")).content.decode()
    row.refresh_from_db()
    assert row.secret != before
    assert row.secret in content


def test_the_log_says_what_was_answered_and_what_fails(admin_client):
    row = ListenerFactory()
    assert "Nothing happened yet" in admin_client.get(page(row)).content.decode()
    MessageFactory(listener=row, status="failure", answer="503 Busy", tries=6)
    MessageFactory(listener=row, tries=1, next_try_at=timezone.now() + timedelta(minutes=5))
    content = admin_client.get(page(row)).content.decode()
    assert "503 Busy" in content
    assert "It has taken nothing since" in content
    log = admin_client.get(reverse("admin:deployments_message_changelist")).content.decode()
    assert "503 Busy" in log


def test_a_message_is_sent_again_by_post(
    admin_client, monkeypatch, django_capture_on_commit_callbacks
):
    sent = []
    monkeypatch.setattr(app, "send_task", lambda name, args=(), **_: sent.append((name, *args)))
    row = MessageFactory(status="failure", tries=6)
    assert "same id" in admin_client.get(page(row, "resend")).content.decode()
    with django_capture_on_commit_callbacks(execute=True):
        admin_client.post(page(row, "resend"))
    row.refresh_from_db()
    assert (row.status, row.tries) == ("queued", 0)
    assert sent == [("deployments.send_message", row.pk)]
    assert row.claim()
    assert "being sent just now" in admin_client.post(page(row, "resend")).content.decode()


def test_what_waits_for_another_try_can_be_sent_now_and_what_is_behind_it_says_so(admin_client):
    deployment, later = DeploymentFactory(), timezone.now() + timedelta(hours=2)
    listener = ListenerFactory(site=deployment.site)
    about = {"listener": listener, "deployment": deployment, "site": deployment.site}
    failing = MessageFactory(**about, event="deployment.started", tries=3, next_try_at=later)
    behind = MessageFactory(**about, event="deployment.succeeded")
    for shown in (page(listener), reverse("admin:deployments_message_changelist"), page(behind)):
        assert "after the one before it" in admin_client.get(shown).content.decode()
    content = admin_client.get(page(listener)).content.decode()
    assert page(failing, "resend") in content
    assert page(behind, "resend") not in content
    admin_client.post(page(failing, "resend"))
    failing.refresh_from_db()
    assert failing.next_try_at <= timezone.now()


def test_a_listener_goes_with_its_messages(admin_client):
    listener = ListenerFactory()
    MessageFactory.create_batch(3, listener=listener)
    asked = admin_client.get(page(listener, "delete")).content.decode()
    assert "Messages: 3" in asked
    admin_client.post(page(listener, "delete"), {"post": "yes"})
    assert not Listener.objects.exists()
    assert not Message.objects.exists()


def test_messages_are_read_only(admin_client):
    row = MessageFactory(listener=None, deployment=DeploymentFactory())
    content = admin_client.get(page(row)).content.decode()
    assert "GitHub" in content
    assert admin_client.post(page(row), {}).status_code == 403
    assert admin_client.get(reverse("admin:deployments_message_add")).status_code == 403


def test_who_does_not_operate_the_site_acts_on_none(client):
    row = ListenerFactory()
    assert row.site is not None
    for role, status in ((Role.DEPLOYER, {403, 404}), (None, {404})):
        client.force_login(member(role, row.site) if role else member(Role.OWNER, SiteFactory()))
        for action in ("change", "test", "new-secret"):
            assert client.post(page(row, action)).status_code in status
        assert client.post(page(MessageFactory(listener=row), "resend")).status_code in status
    client.force_login(member(Role.OPERATOR, row.site))
    assert client.post(page(row, "new-secret")).status_code == 403


def test_lists_take_the_same_queries_for_more_rows(admin_client, django_assert_max_num_queries):
    for name, factory in (("listener", ListenerFactory), ("message", MessageFactory)):
        for _ in range(12):
            factory()
        with django_assert_max_num_queries(16):
            admin_client.get(reverse(f"admin:deployments_{name}_changelist"))
