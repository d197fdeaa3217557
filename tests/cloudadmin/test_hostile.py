"""What somebody would try who has a little: a role, a session, an invitation, a password."""

from __future__ import annotations

import time
import uuid

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.core.mail import EmailMessage
from django.db import connection
from django.test import Client
from django.urls import reverse

from cloudadmin.login.guesses import LIMIT
from deployments.models import Launch
from sites.audit import chain
from sites.audit.tables import OPTIONAL
from sites.audit.watch import watch_optional
from sites.models import AuditEntry, Membership, Role, Site
from sites.people import invitations
from tests.factories import (
    AccountFactory,
    LaunchFactory,
    ListenerFactory,
    MembershipFactory,
    MessageFactory,
    SiteFactory,
    TeamFactory,
    UserFactory,
    member,
)

pytestmark = pytest.mark.django_db


def logged_in(user: User, ago: float = 0) -> Client:
    """``ago``: so many seconds since they have proven who they are."""
    client = Client()
    client.force_login(user)
    session = client.session
    methods = session["account_authentication_methods"]
    session["account_authentication_methods"] = [
        {**each, "at": time.time() - ago} for each in methods
    ]
    session.save()
    return client


def test_nobody_becomes_owner_of_a_site_by_a_draft_without_a_team() -> None:
    operator = member(Role.OPERATOR, team := TeamFactory())
    launch = LaunchFactory(owner=operator, account=AccountFactory(), plan={"checksum": "shown"})

    logged_in(operator).post(reverse("new-site-plan", args=[launch.pk]), {"checksum": "shown"})

    assert not Membership.objects.filter(user=operator, role=Role.OWNER).exists()
    assert not Site.objects.exclude(team=team).exists()


def test_who_left_the_team_launches_nothing_in_it() -> None:
    operator = member(Role.OPERATOR, TeamFactory())
    left = TeamFactory()
    launch = LaunchFactory(
        owner=operator, account=AccountFactory(), team=left, plan={"checksum": "shown"}
    )

    logged_in(operator).post(reverse("new-site-plan", args=[launch.pk]), {"checksum": "shown"})

    assert not Site.objects.exists()
    assert Launch.objects.get().state == Launch.State.DRAFT


def test_an_invitation_takes_no_password_that_is_guessed_at_once() -> None:
    owner = member(Role.OWNER, team := TeamFactory())
    _, secret = invitations.invite(owner, team, "new@example.com", Role.VIEWER)
    url = reverse("invitation", args=[secret])

    for password in ("1", "password", "newcomer"):
        posted = {"username": "newcomer", "password1": password, "password2": password}
        assert Client().post(url, posted).status_code == 200
    assert not User.objects.filter(username="newcomer").exists()


def test_a_stolen_session_guesses_at_the_password_no_more_often_than_at_a_login() -> None:
    client = logged_in(UserFactory(is_superuser=True))
    url = reverse("account_change_password")
    new = {"password1": "correct horse battery", "password2": "correct horse battery"}

    for number in range(LIMIT):
        client.post(url, {"oldpassword": f"guess {number}", **new})
    answer = client.post(url, {"oldpassword": "secret", **new})

    assert "Too many wrong answers" in answer.content.decode()


def test_whose_password_is_gone_is_led_to_a_new_one() -> None:
    user = UserFactory(is_superuser=True)
    user.set_unusable_password()
    user.save()

    answer = logged_in(user).get(reverse("account_change_password"), follow=True)

    assert answer.status_code == 200


def test_who_has_no_role_any_more_sees_that_and_nothing_else() -> None:
    client = logged_in(UserFactory())

    for name in ("admin:index", "admin:sites_site_changelist", "admin:jsi18n", "new-site"):
        answer = client.get(reverse(name))
        assert answer.status_code == 403
        assert "no role" in answer.content.decode()
    assert client.get(reverse("account_change_password")).status_code == 200


def test_removing_somebody_asks_who_is_there() -> None:
    owner = member(Role.OWNER, team := TeamFactory())
    other = MembershipFactory(team=team)
    url = reverse("admin:sites_membership_remove", args=[other.pk])

    answer = logged_in(owner, ago=3600).post(url)

    assert "reauthenticate" in answer["Location"]
    assert Membership.objects.filter(pk=other.pk).exists()


def test_users_are_deleted_one_by_one_and_each_asks_again() -> None:
    admin, other = UserFactory(is_superuser=True), UserFactory()
    posted = {"action": "delete_selected", "_selected_action": [other.pk], "post": "yes"}

    logged_in(admin, ago=3600).post(reverse("admin:auth_user_changelist"), posted)

    assert User.objects.filter(pk=other.pk).exists()


def test_to_give_a_site_to_another_team_asks_again() -> None:
    owner = member(Role.OWNER, here := TeamFactory())
    there = TeamFactory()
    MembershipFactory(user=owner, role=Role.OWNER, team=there)
    site = SiteFactory(team=here)
    form = {"team": there.pk, "price_class": site.price_class, "headers": site.headers}
    form["trailing_slash"] = site.trailing_slash

    answer = logged_in(owner, ago=3600).post(
        reverse("admin:sites_site_settings", args=[site.pk]), form
    )

    site.refresh_from_db()
    assert site.team == here, answer.content


def test_a_viewer_has_no_counters_pulled() -> None:
    viewer = member(Role.VIEWER, site := SiteFactory(live=True, has_counter=True))
    MembershipFactory(user=viewer, role=Role.OPERATOR)
    url = f"{reverse('admin:sites_bulk')}?act=sync-visits&pk={site.pk}"
    client = logged_in(viewer)

    shown = client.get(url)

    assert not shown.context["chosen"].doing
    client.post(url, {"key": uuid.uuid4(), "shown": shown.context["digest"]})
    assert not site.bulk_items.exists()


def test_a_former_mailbox_resets_no_password(
    settings: LazySettings, mailoutbox: list[EmailMessage]
) -> None:
    settings.IS_MAIL_READY = True
    user = UserFactory(email="former@example.com")
    EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
    posted = {"username": user.username, "email": "new@example.com", "is_active": "on"}

    admin = logged_in(UserFactory(is_superuser=True))
    admin.post(reverse("admin:auth_user_change", args=[user.pk]), posted)
    Client().post(reverse("account_reset_password"), {"email": "former@example.com"})

    assert User.objects.get(pk=user.pk).email == "new@example.com"
    assert not [mail for mail in mailoutbox if "former@example.com" in mail.to]


def test_nobody_opens_the_second_factor_of_another() -> None:
    of_another = Authenticator.objects.create(
        user=UserFactory(), type=Authenticator.Type.WEBAUTHN, data={"name": "key"}
    )
    client = logged_in(UserFactory(is_superuser=True))

    for name in ("mfa_edit_webauthn", "mfa_remove_webauthn"):
        url = reverse(name, args=[of_another.pk])
        assert client.get(url).status_code == client.post(url).status_code == 404
        assert Client().get(url)["Location"].startswith(reverse("account_login"))
    assert Authenticator.objects.filter(pk=of_another.pk).exists()


def test_an_idle_session_is_ended_by_nobody_of_this_machine() -> None:
    client = logged_in(UserFactory(is_superuser=True))
    session = client.session
    session["seen"] = 1
    session.save()

    client.get("/")

    entry = AuditEntry.objects.get(act=AuditEntry.Act.LOGOUT)
    assert entry.via == AuditEntry.Via.DASHBOARD


def test_who_only_looks_is_not_told_the_addresses_of_listeners() -> None:
    listener = ListenerFactory(address="https://hooks.example.com/secret-path")
    row = MessageFactory(listener=listener).deployment
    assert row
    url = reverse("admin:deployments_deployment_change", args=[row.pk])

    for role, is_told in ((Role.DEPLOYER, False), (Role.OPERATOR, True)):
        answer = logged_in(member(role, row.site)).get(url)
        assert ("secret-path" in answer.content.decode()) is is_told


def test_a_launch_is_in_the_audit_log_and_the_login_of_a_provider() -> None:
    launch = LaunchFactory(git_url="https://user:secret@example.com")
    with connection.cursor() as cursor:
        columns = "id int, user_id int, provider text, last_login timestamptz, extra_data jsonb"
        cursor.execute(f"CREATE TABLE {OPTIONAL} ({columns})")
        watch_optional("default")
        watch_optional("default")
        values = (launch.owner_id, '{"mail": "secret"}')
        cursor.execute(f"INSERT INTO {OPTIONAL} VALUES (1, %s, 'oidc', now(), %s)", values)

    entries = AuditEntry.objects.filter(table__in=("deployments_launch", OPTIONAL))
    assert [entry.label for entry in entries.order_by("pk")] == [
        launch.name,
        launch.owner.username,
    ]
    assert "secret@" not in str(entries[0].after) + str(entries[1].after)
    assert not [each for each in chain.verify().problems if OPTIONAL in each]
