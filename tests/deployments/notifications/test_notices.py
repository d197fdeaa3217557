"""What goes on for days is told once for each step, and anew when it had been over."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from deployments import limits
from deployments.models import EdgeIndex, Event, Invalidation, Message, Notice
from deployments.notifications import delivery, notices, tell_notices
from sites.certificates import Lifetime, expiring
from sites.models import Resource, Role, Site
from tests.factories import (
    AccountFactory,
    InvalidationFactory,
    ListenerFactory,
    ResourceFactory,
    SiteFactory,
    member,
)

pytestmark = pytest.mark.django_db

RECORDS = {
    "validation_name:example.com": "_x.example.com.",
    "validation_value:example.com": "_y.acm-validations.aws.",
}
GONE = {"status": "PENDING_VALIDATION", "unproven": ["example.com", "*.example.com"]}


def certificate(days: float, **values: object) -> Resource:
    return ResourceFactory(
        logical_id="certificate",
        aws_status="ISSUED",
        inputs={"domains": ["example.com", "*.example.com"]},
        attributes=RECORDS,
        expires_at=timezone.now() + timedelta(days=days),
        **{"site": SiteFactory(live=True), **values},
    )


def grow_older(row: Resource, days: float) -> None:
    row.expires_at = timezone.now() + timedelta(days=days)
    row.save()


def subjects() -> list[str]:
    return [row.told["subject"] for row in Message.objects.order_by("pk")]


@pytest.mark.parametrize(
    ("days", "renewal", "said"),
    [
        (
            12.5,
            GONE,
            "expires in 12 days and AWS cannot renew it: the record _x.example.com is gone. "
            "Put it back: CNAME _x.example.com → _y.acm-validations.aws.",
        ),
        (40, {"status": "FAILED", "reason": "CAA_ERROR"}, "a CAA record of the domain does not"),
        (1.5, {"is_eligible": False}, "expires in 1 day and AWS does not renew it, for no distrib"),
        (0.5, {}, "expires within a day and AWS has not renewed it yet"),
        (-2.5, GONE, "expired 2 days ago: browsers warn your visitors"),
    ],
)
def test_what_is_in_the_way_is_said_with_what_to_do(days, renewal, said):
    life = Lifetime(certificate(days, renewal=renewal))
    assert said in life.sentence
    assert said.lower() in life.brief.lower()
    assert life.needs_attention
    assert list(expiring()) == [life.row]


@pytest.mark.parametrize(
    ("days", "renewal"),
    [(197, {"status": "SUCCESS"}), (59, {}), (44, {"status": "PENDING_AUTO_RENEWAL"}), (90, GONE)],
)
def test_what_aws_renews_by_itself_needs_nobody(days, renewal):
    assert not Lifetime(certificate(days, renewal=renewal)).needs_attention
    certificate(5, site=SiteFactory(state=Site.State.DESTROYING))
    assert not expiring().exists()


def test_a_certificate_is_told_once_for_each_step(settings):
    settings.CLOUDADMIN_URL = "https://admin.example.com"
    row: Any = certificate(40, renewal=GONE)
    listener = ListenerFactory(site=row.site, mailbox=True)
    name = row.site.name
    for days in (39.5, 39, 16, 13.5, 13, 2.5, -1.5):
        tell_notices(row.expires_at - timedelta(days=days))
    assert subjects() == [
        f"{name}: the certificate of example.com and *.example.com {when}"
        for when in (
            "expires in 39 days",
            "expires in 13 days",
            "expires in 2 days",
            "expired 1 day ago",
        )
    ]
    settings.IS_MAIL_READY = True
    message = Message.objects.earliest("pk")
    delivery.send(message.pk)
    message.refresh_from_db()
    assert (message.status, message.listener) == ("sent", listener)


def test_a_letter_says_what_where_and_what_to_do(settings, mailoutbox):
    settings.CLOUDADMIN_URL, settings.IS_MAIL_READY = "https://admin.example.com", True
    row: Any = certificate(12.5, renewal=GONE)
    ListenerFactory(site=row.site, mailbox=True)
    tell_notices()
    delivery.send(Message.objects.get().pk)
    (letter,) = mailoutbox
    assert letter.body.splitlines() == [
        f"{row.site.name}: the certificate of example.com and *.example.com expires in 12 days.",
        "",
        "Why: AWS cannot renew it: the record _x.example.com is gone.",
        "To do: Put it back: CNAME _x.example.com → _y.acm-validations.aws.",
        f"Dashboard: https://admin.example.com/sites/site/{row.site.pk}/domains/",
    ]


def test_what_comes_back_is_told_anew_when_it_was_over_for_a_day():
    row = certificate(10, renewal=GONE)
    ListenerFactory(site=row.site)
    assert tell_notices() == 1
    for over_for, told in ((timedelta(hours=1), 0), (timedelta(days=2), 1)):
        grow_older(row, 190)
        Notice.objects.update(seen_at=timezone.now() - over_for)
        tell_notices()
        grow_older(row, 10)
        assert tell_notices() == told


def test_what_nobody_listened_to_is_told_to_who_begins_to():
    """As of an installation that is new, or whose listeners hear of this since today."""
    row = certificate(10, renewal=GONE)
    assert tell_notices() == 0
    ListenerFactory(site=row.site)
    assert tell_notices() == 1
    assert tell_notices() == 0


def test_who_dies_before_it_is_told_tells_it_later(monkeypatch):
    row = certificate(10, renewal=GONE)
    ListenerFactory(site=row.site)
    with monkeypatch.context() as patched:
        patched.setattr(notices, "enqueue", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            tell_notices()
    assert tell_notices() == 1


def test_limits_are_told_to_who_hears_of_the_account_and_of_the_site(
    monkeypatch, admin_client, client
):
    monkeypatch.setattr(limits, "FUNCTIONS", 4)
    account = AccountFactory(name="Main")
    site, _ = (SiteFactory(account=account, live=True) for _ in range(2))
    EdgeIndex.objects.create(site=site, buckets=4_900)
    of_account = ListenerFactory(site=None, account=account)
    of_site = ListenerFactory(site=site)
    ListenerFactory(site=None, account=AccountFactory())
    sent = {"invalidation_id": "I1", "submitted_at": timezone.now()}
    InvalidationFactory(site=site, paths=[f"/{n}" for n in range(950)], **sent)
    for _ in range(2):
        tell_notices()
    told = {
        (row.listener, row.told["data"]["limit"])
        for row in Message.objects.filter(event=Event.LIMIT)
    }
    assert told == {
        (of_account, "functions"),
        (of_account, "invalidations"),
        (of_account, "index"),
        (of_site, "index"),
    }
    assert "Main: 4 of 4 CloudFront functions, two for each site" in subjects()
    Invalidation.objects.update(paths=[f"/{n}" for n in range(1_050)])
    assert tell_notices() == 1
    assert "Main: 1,050 of 1,000 free invalidation paths" in subjects()[-1]
    page = admin_client.get("/deployments/message/").content.decode()
    assert "Nearly used up: Main" in page
    row = Message.objects.filter(site=None).latest("pk")
    opened = admin_client.get(f"/deployments/message/{row.pk}/change/")
    assert "Nearly used up: Main" in opened.content.decode()
    client.force_login(member(Role.OWNER, site))
    assert "Nearly used up: Main" not in client.get("/deployments/message/").content.decode()
    assert client.get(f"/deployments/message/{row.pk}/change/").status_code == 404
