"""The pages of the audit log."""

from __future__ import annotations

import csv
import io

import pytest
from django.db import connection
from django.urls import reverse

from sites.audit import Actor, acting
from sites.models import AuditEntry, Membership, Role, Site, Team
from tests.factories import AccountFactory, SiteFactory, TeamFactory, UserFactory

pytestmark = pytest.mark.django_db

LIST = reverse("admin:sites_auditentry_changelist")
EXPORT = reverse("admin:sites_auditentry_export")
EVIL = "<script>alert(1)</script>\u202e\x1b[2J"


def seal() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED")


def page(client, **filters: str):
    seal()
    return client.get(LIST, filters).content.decode()


def test_it_tells_who_changed_what_and_is_narrowed(admin_client):
    assert "Written by the database itself" in page(admin_client)
    with acting(Actor("ada", "dashboard", address="192.0.2.1", request="abc")):
        site = SiteFactory(name="shop")
        Site.objects.filter(pk=site.pk).update(is_spa=True)
    with acting(Actor(EVIL, "api")):
        SiteFactory(name="other")
    content = page(admin_client)
    for said in ("Added site shop", "Changed site shop", "is spa", "192.0.2.1", "Added site other"):
        assert said in content
    assert "<script>alert" not in content
    assert "\u202e" not in content.partition("<tbody>")[2].partition("</tbody>")[0].replace(
        "%E2%80%AE", ""
    )
    for filters in ({"who": "ada"}, {"site": "shop"}, {"q": "ada"}, {"via": "dashboard"}):
        content = page(admin_client, **filters)
        assert "Changed site shop" in content
        assert "Added site other" not in content
    assert "Nothing matches" in page(admin_client, table="sites_domain")
    entry = AuditEntry.objects.get(act="update", site_name="shop")
    content = admin_client.get(
        reverse("admin:sites_auditentry_change", args=[entry.pk])
    ).content.decode()
    for said in ("What differs", entry.digest, "In the same request", "Added site shop"):
        assert said in content
    assert admin_client.post(reverse("admin:sites_auditentry_add")).status_code == 403


def test_an_export_is_inert_and_has_what_the_list_has(admin_client):
    with acting(Actor(f"=1+1{EVIL}", "api")):
        AccountFactory(name="@SUM(A1)")
    SiteFactory(name="other")
    seal()
    response = admin_client.get(EXPORT, {"via": "api"})
    text = b"".join(response.streaming_content).decode()
    (row,) = csv.DictReader(io.StringIO(text))
    assert row["label"] == "'@SUM(A1)"
    assert row["actor"].startswith("'=1+1<script>")
    assert not {"\u202e", "\x1b"} & set(text)


def test_owners_see_what_is_theirs(client):
    team = Team.objects.create(name="Ours")
    mine, others = SiteFactory(name="mine", team=team), SiteFactory(name="others")
    seal()
    user = UserFactory()
    client.force_login(user)
    assert client.get(LIST).status_code == 403
    assert client.get(EXPORT).status_code == 403
    membership = Membership.objects.create(user=user, team=team, role=Role.OPERATOR)
    assert client.get(LIST).status_code == 403
    Membership.objects.filter(pk=membership.pk).update(role=Role.OWNER)
    content = page(client)
    assert "Added site mine" in content
    assert "Added team Ours" in content
    assert "site others" not in content
    assert "Added user" not in content
    for site, status in ((mine, 200), (others, 404)):
        entry = AuditEntry.objects.get(act="insert", table="sites_site", site_id=site.pk)
        url = reverse("admin:sites_auditentry_change", args=[entry.pk])
        assert client.get(url).status_code == status


def test_foreign_keys_are_told_by_name(admin_client, client):
    ours, theirs, left = (Team.objects.create(name=name) for name in (f"Ours{EVIL}", "Theirs", "L"))
    site = SiteFactory(name="shop", team=theirs)
    Site.objects.filter(pk=site.pk).update(team=left)
    Site.objects.filter(pk=site.pk).update(team=ours)
    gone = f"team {left.pk} (gone)"
    left.delete()
    seal()
    entry = AuditEntry.objects.filter(act="update", table="sites_site").latest("number")
    url = reverse("admin:sites_auditentry_change", args=[entry.pk])
    for content in (page(admin_client), admin_client.get(url).content.decode()):
        assert gone in content
        assert "Ours&lt;script&gt;" in content
    assert "Theirs</code>" in page(admin_client)
    user = UserFactory()
    Membership.objects.create(user=user, team=ours, role=Role.OWNER)
    client.force_login(user)
    content = page(client)
    assert "Ours&lt;script&gt;" in content
    assert "Theirs" not in content


def test_more_entries_take_no_more_queries(admin_client, django_assert_max_num_queries):
    for count in (3, 30):
        for _ in range(count):
            site = SiteFactory(team=TeamFactory())
            Site.objects.filter(pk=site.pk).update(team=TeamFactory())
        seal()
        with django_assert_max_num_queries(8):
            admin_client.get(LIST)
