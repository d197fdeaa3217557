"""What the audit log sees, and that nobody takes it back."""

from __future__ import annotations

import threading
from io import StringIO
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.apps import apps
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, connections, transaction
from django.test import RequestFactory
from django.urls import reverse

from cloudadmin.celery import name_the_worker
from deployments.models import Deployment
from sites.audit import Actor, acting, actor, on_behalf_of
from sites.audit.actor import WORKER
from sites.audit.middleware import AuditMiddleware, address_of
from sites.audit.tables import OPTIONAL, TABLES
from sites.models import Account, AuditEntry, Site
from tests.factories import (
    AccountFactory,
    DeploymentFactory,
    OperationFactory,
    SiteFactory,
    UserFactory,
)

pytestmark = pytest.mark.django_db


def seal() -> None:
    """As at the end of a transaction."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED")


def last(**filters: object) -> AuditEntry:
    return AuditEntry.objects.filter(**filters).latest("pk")


def sql(text: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(text)


def verified(*arguments: str) -> str:
    seal()
    out = StringIO()
    call_command("verify_audit", *arguments, stdout=out, stderr=out)
    return out.getvalue()


def broken(*arguments: str) -> str:
    out = StringIO()
    with pytest.raises(CommandError, match="not whole") as error:
        call_command("verify_audit", *arguments, stdout=StringIO(), stderr=out)
    assert error.value.returncode == 1
    return out.getvalue()


def forced(text: str) -> None:
    """What only the owner of the server can do."""
    sql(f"SET session_replication_role = replica; {text}; SET session_replication_role = origin")


# --- What is seen ---------------------------------------------------------------------------------


def test_each_way_to_change_a_row_is_seen_with_what_differs():
    with acting(Actor("ada", "dashboard", 7, "192.0.2.1", "abc")):
        site = SiteFactory(name="shop")
        Site.objects.filter(pk=site.pk).update(is_spa=True)
    entry = last()
    assert (entry.actor, entry.actor_id, entry.via, entry.address) == (
        "ada",
        7,
        "dashboard",
        "192.0.2.1",
    )
    assert (entry.act, entry.table, entry.row_id, entry.label) == (
        "update",
        "sites_site",
        str(site.pk),
        "shop",
    )
    assert (entry.before, entry.after) == ({"is_spa": False}, {"is_spa": True})
    count = AuditEntry.objects.count()
    site.save()  # nothing new… but what the object did not know
    assert last().after == {"is_spa": False}
    site.save()
    assert AuditEntry.objects.count() == count + 1
    pk = site.pk
    site.delete()
    entry = last()
    assert (entry.act, entry.site_id, entry.site_name, entry.after) == ("delete", pk, "shop", None)
    assert (entry.before or {})["name"] == "shop"


def test_rows_of_a_site_are_told_with_it_and_operations_once():
    site = SiteFactory(name="shop")
    operation = OperationFactory(site=site)
    entry = last(table="sites_operation")
    assert (entry.site_id, entry.site_name, entry.label) == (site.pk, "shop", "provision")
    operation.write(status="success")
    assert AuditEntry.objects.filter(table="sites_operation").count() == 1


def test_of_deployments_only_what_is_published_is_told():
    row = DeploymentFactory(manifest=b"x", number=3)
    Deployment.objects.update(uploaded=5)
    assert not AuditEntry.objects.filter(table="deployments_deployment").exists()
    Deployment.objects.update(is_published=True)
    entry = last()
    assert (entry.label, entry.site_id, entry.before, entry.after) == (
        "#3",
        row.site_id,
        {"is_published": False},
        {"is_published": True},
    )


def test_secrets_are_not_in_it():
    user = UserFactory(password="hunter2")
    user.set_password("other")
    user.save()
    entry = last(table="auth_user")
    assert (entry.before, entry.after) == ({"password": "(secret)"}, {"password": "(secret)"})
    stored = list(User.objects.values_list("password", flat=True))
    assert not any(hash in str(row) for row in AuditEntry.objects.values() for hash in stored)
    count = AuditEntry.objects.count()
    User.objects.filter(pk=user.pk).update(last_login="2026-01-01T00:00Z")
    assert AuditEntry.objects.count() == count


def test_every_table_that_is_said_to_be_watched_is():
    with connection.cursor() as cursor:
        cursor.execute("SELECT tgrelid::regclass::text FROM pg_trigger WHERE tgname = 'audit'")
        assert {name for (name,) in cursor.fetchall()} == set(TABLES) - {OPTIONAL}


FLIPS = {"deployment"}
# Each is a decision: a new model is watched, or comes here.
NOT_WATCHED = {
    "sites": {
        "auditentry": "the log itself",
        "operationevent operationtry": "history of its own",
        "resource": "what AWS has, written by the engine",
        "visitcount visitcursor visitday visitimport overallday importedday": "numbers",
    },
    "deployments": {
        "deployment": "its flips are",
        "deploymentevent message notice delivery invalidation bulkitem": "history of its own",
        "edgeindex indexbucket sitepicture": "what the edge has",
    },
}


def test_every_model_of_ours_is_watched_or_known_not_to_be():
    for label, known in NOT_WATCHED.items():
        models = {m._meta.model_name for m in apps.get_app_config(label).get_models()}
        watched = {m for m in models if f"{label}_{m}" in TABLES}
        assert models - watched | FLIPS & models == {
            name for names in known for name in names.split()
        }


# --- Who ------------------------------------------------------------------------------------------


def test_a_request_is_of_its_user_and_the_next_one_is_not(client, admin_user):
    seen = []

    def view(request):
        AccountFactory()
        seen.append(last())

    middleware = AuditMiddleware(view)
    request = RequestFactory().post("/", REMOTE_ADDR="192.0.2.9")
    request.user = admin_user
    middleware(request)
    middleware(RequestFactory().post("/api/v1/x"))
    AccountFactory()
    assert [(e.actor, e.actor_id, e.via, e.address) for e in seen] == [
        ("admin", admin_user.pk, "dashboard", "192.0.2.9"),
        ("Nobody who is logged in", None, "api", "127.0.0.1"),
    ]
    assert seen[0].request != seen[1].request != ""
    assert last().via == "command"


def test_behind_a_proxy_the_address_is_the_clients(settings):
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = 1
    claimed: dict[str, Any] = {
        "HTTP_X_FORWARDED_FOR": "198.51.100.1, 203.0.113.5",
        "REMOTE_ADDR": "10.0.0.1",
    }
    assert address_of(RequestFactory().get("/", **claimed)) == "203.0.113.5"
    assert address_of(RequestFactory().get("/", REMOTE_ADDR="10.0.0.1")) == "10.0.0.1"
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = 0
    assert address_of(RequestFactory().get("/", **claimed)) == "10.0.0.1"


def test_an_actor_outlives_no_transaction_that_was_rolled_back():
    with acting(Actor("ada", "dashboard")), transaction.atomic():
        AccountFactory()
        with transaction.atomic():
            AccountFactory()
            transaction.set_rollback(True)
        AccountFactory()
        assert last().actor == "ada"
    with acting(Actor("bob", "api")):
        AccountFactory()
    assert last().actor == "bob"


def test_a_worker_is_called_so(monkeypatch):
    monkeypatch.setattr(actor, "this_process", actor.this_process)
    name_the_worker()
    AccountFactory()
    assert (last().actor, last().via) == ("worker", "worker")


def test_a_worker_works_for_whoever_asked():
    user = UserFactory(username="ada")
    with acting(WORKER), on_behalf_of(user):
        AccountFactory()
    assert (last().actor, last().actor_id, last().via) == ("ada", user.pk, "worker")
    with acting(Actor("bob", "command")), on_behalf_of(user):
        AccountFactory()
    assert last().actor == "bob"


def test_logins_and_their_failures_are_told(client):
    user = UserFactory(username="ada")
    url = reverse("account_login")
    client.post(url, {"login": "ADA", "password": "wrong"}, REMOTE_ADDR="192.0.2.3")
    client.post(url, {"login": "hunter2-typed-too-soon", "password": "x"})
    client.post(url, {"login": "ada", "password": "secret"})
    client.post(reverse("account_logout"))
    Authenticator.objects.create(user=user, type="totp", data={"secret": "x"})
    told = AuditEntry.objects.exclude(table="auth_user").order_by("pk")
    assert [(entry.act, entry.label, entry.address) for entry in told] == [
        ("login_failed", "ada", "192.0.2.3"),
        ("login_failed", "with a name that nobody has here", "127.0.0.1"),
        ("login", "ada", "127.0.0.1"),
        ("logout", "ada", "127.0.0.1"),
        ("insert", "ada", ""),
    ]
    assert (last().after or {})["data"] == "(secret)"
    assert [entry.actor_id for entry in told[2:4]] == [user.pk, user.pk]
    assert not AuditEntry.objects.filter(label__contains="hunter2").exists()


# --- Nothing is taken back ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "UPDATE sites_auditentry SET actor = 'nobody'",
        "UPDATE sites_auditentry SET digest = ''",
        "DELETE FROM sites_auditentry",
        "TRUNCATE sites_auditentry",
    ],
)
def test_the_log_refuses_to_be_changed(text):
    AccountFactory()
    seal()
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        sql(text)
    assert "is whole: 1 entries" in verified()


def test_an_entry_cannot_be_dated_or_placed_by_who_writes_it():
    AuditEntry.objects.create(
        at="2000-01-01T00:00Z", number=99, digest="f" * 64, actor="x", via="sql", act="login"
    )
    assert "whole" in verified()
    entry = AuditEntry.objects.get()
    assert (entry.number, entry.at.year > 2000) == (1, True)


def test_what_was_done_to_the_log_by_force_is_told():
    for _ in range(6):
        AccountFactory()
    head = verified().partition("Head: ")[2][:64]
    AccountFactory()
    assert "Not noticed" not in verified("--expect", head)
    cases = {
        "UPDATE sites_auditentry SET actor = 'bob' WHERE number = 3": "No. 3 of",
        "UPDATE sites_auditentry SET after = '{}' WHERE number = 3": "was changed after",
        "DELETE FROM sites_auditentry WHERE number IN (3, 4)": "No. 3 to 4 are missing",
        "DELETE FROM sites_auditentry WHERE number = 1": "No. 1 is missing",
        "ALTER TABLE sites_site DISABLE TRIGGER audit": "trigger audit of sites_site",
    }
    for text, said in cases.items():
        with transaction.atomic():
            forced(text)
            assert said in broken()
            transaction.set_rollback(True)
    with transaction.atomic():
        forced("DELETE FROM sites_auditentry WHERE number > 5")
        assert "whole: 5" in verified()
        assert "cut off the end" in broken("--expect", head)
        transaction.set_rollback(True)
    with pytest.raises(CommandError) as error:
        call_command("verify_audit", "--expect", "nonsense")
    assert error.value.returncode == 2


@pytest.mark.django_db(transaction=True)
def test_who_waits_for_a_row_at_its_end_does_not_hold_the_chain_meanwhile():
    """Else the one that holds the row, and wants to end as well, would wait for ever."""
    account = AccountFactory()
    has_row = threading.Event()
    failed = []

    def wait_for_the_row() -> None:
        try:
            has_row.wait(60)
            with transaction.atomic():
                AccountFactory()
                SiteFactory(account=account)  # that its account is there is looked at in the end
        except Exception as error:
            failed.append(error)
        finally:
            connections.close_all()

    thread = threading.Thread(target=wait_for_the_row)
    thread.start()
    with transaction.atomic():
        row = Account.objects.select_for_update().get(pk=account.pk)
        row.region = "eu-west-1"
        row.save()
        has_row.set()
        while not failed and not _is_somebody_waiting():
            pass
    thread.join(60)
    assert failed == []
    out = StringIO()
    call_command("verify_audit", stdout=out)
    assert "is whole: 4 entries" in out.getvalue()


def _is_somebody_waiting() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
        return bool(cursor.fetchone()[0])
