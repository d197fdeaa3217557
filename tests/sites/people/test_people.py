"""People in the dashboard: teams, invitations, roles given and taken."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from allauth.usersessions.models import UserSession
from django.contrib.auth.models import User
from django.core import mail
from django.db import connection, connections, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from cloudadmin.login.devices import cookie_of
from sites.errors import Refused
from sites.models import Invitation, Membership, Role, Site, Team
from sites.people import Act, invitations, may, membership, role_of
from tests.factories import (
    MembershipFactory,
    SiteFactory,
    TeamFactory,
    UserFactory,
    member,
)

pytestmark = pytest.mark.django_db
PASSWORD = "a-long-enough-one-3"


@pytest.fixture
def team() -> Team:
    return TeamFactory(name="Acme")


@pytest.fixture
def site(team: Team) -> Site:
    return SiteFactory(name="shop", team=team)


@pytest.fixture
def owner(team: Team) -> User:
    return member(Role.OWNER, team)


def of(user: User) -> Any:
    client = Client()
    client.force_login(user)
    return client


def url(name: str, *args: object) -> str:
    return reverse(f"admin:sites_{name}", args=args)


def link_in(text: str) -> str:
    found = re.search(r"http://testserver(/invitations/[\w-]+/)", text)
    assert found
    return found[1]


def test_somebody_new_is_invited_and_joins(owner, team, site):
    answer = (
        of(owner)
        .post(url("team_invite", team.pk), {"email": "new@example.com", "role": "2"})
        .content.decode()
    )
    link = link_in(answer)
    assert Invitation.objects.get().digest not in link
    new: Any = Client()
    shown = new.get(link)
    assert "Join Acme" in shown.content.decode()
    assert shown["Referrer-Policy"] == "same-origin"
    assert not Membership.objects.filter(role=Role.DEPLOYER).exists()
    form = {"username": "eve", "password1": PASSWORD, "password2": PASSWORD}
    for name in (owner.username.upper(), "ev\u0435", "x"):
        assert new.post(link, form | {"username": name}).status_code == 200
    assert new.post(link, form).url == reverse("admin:index")
    eve = User.objects.get(username="eve")
    assert role_of(eve, site) is Role.DEPLOYER
    assert not eve.is_superuser
    # The link was handed over by the inviter: that somebody reads those letters is not proven.
    address = EmailAddress.objects.get(user=eve)
    assert (address.email, address.verified) == ("new@example.com", False)
    assert new.get(link).status_code == 410
    assert new.post(link, form | {"username": "eve2"}).status_code == 410
    assert Client().post(link, form | {"username": "eve2"}).status_code == 410
    assert not User.objects.filter(username="eve2").exists()
    # They are in already, on a device that is known from now on.
    assert "shop" in new.get(url("site_changelist")).content.decode()
    assert cookie_of(eve) in new.cookies
    assert UserSession.objects.filter(user=eve).count() == 1


def test_a_letter_takes_the_link_where_a_mail_server_is(owner, team, settings):
    settings.EMAIL_HOST = "mail.example.com"
    team.name = "Acme\u202e\x1b[2J"
    team.save()
    data = {"email": "new@example.com", "role": "1"}
    answer = of(owner).post(url("team_invite", team.pk), data, follow=True).content.decode()
    assert "/invitations/" not in answer.replace('href="/sites/', "")
    (letter,) = mail.outbox
    assert "\u202e" not in letter.subject
    assert "\x1b" not in letter.body
    link = link_in(str(letter.body))
    form = {"username": "eve", "password1": PASSWORD, "password2": PASSWORD}
    Client().post(link, form)
    assert EmailAddress.objects.get(user__username="eve").verified


def test_an_owner_whose_link_was_handed_over_sets_up_a_second_factor(owner, team):
    _, secret = invitations.invite(owner, team, "new@example.com", Role.OWNER)
    form = {"username": "eve", "password1": PASSWORD, "password2": PASSWORD}
    answer = Client().post(reverse("invitation", args=[secret]), form, follow=True)
    assert answer.status_code == 200
    assert 'id="secret"' in answer.content.decode()


def test_somebody_who_is_here_joins_with_a_click_and_keeps_a_higher_role(owner, team, site):
    user = member(Role.OPERATOR, team)
    _, secret = invitations.invite(owner, team, "x@example.com", Role.VIEWER)
    link = reverse("invitation", args=[secret])
    assert "Join as" in of(user).get(link).content.decode()
    assert role_of(user, team) is Role.OPERATOR
    of(user).post(link)
    assert user.memberships.get().role == Role.OPERATOR
    other = UserFactory()
    assert of(other).post(link).status_code == 410
    _, secret = invitations.invite(owner, site, "y@example.com", Role.OWNER)
    of(other).post(reverse("invitation", args=[secret]))
    assert role_of(User.objects.get(pk=other.pk), site) is Role.OWNER


def test_a_link_dies_with_its_week_its_withdrawal_and_its_inviters_right(owner, team):
    row, secret = invitations.invite(owner, team, "x@example.com", Role.OWNER)
    Invitation.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    with pytest.raises(Refused):
        invitations.find(secret)
    _, first = invitations.invite(owner, team, "x@example.com", Role.OWNER)
    row, second = invitations.invite(owner, team, "X@example.com", Role.OWNER)
    with pytest.raises(Refused):
        invitations.find(first)
    invitations.find(second)
    owner.memberships.update(role=Role.OPERATOR)
    with pytest.raises(Refused):
        invitations.find(second)
    owner.memberships.update(role=Role.OWNER)
    assert of(owner).post(url("invitation_revoke", row.pk)).status_code == 302
    with pytest.raises(Refused):
        invitations.find(second)
    with pytest.raises(Refused):
        invitations.find("x" * 43)


def test_only_an_owner_gives_roles(owner, team):
    operator = member(Role.OPERATOR, team)
    row = MembershipFactory(team=team, role=Role.VIEWER)
    client, stranger = of(operator), of(member(Role.OWNER, TeamFactory()))
    for name, pk in (
        ("team_invite", team.pk),
        ("membership_change", row.pk),
        ("membership_remove", row.pk),
    ):
        data = {"role": "4", "email": "a@example.com"}
        assert client.post(url(name, pk), data).status_code == 403
        assert stranger.post(url(name, pk), data).status_code == 404
    own = operator.memberships.get()
    assert client.post(url("membership_change", own.pk), {"role": "4"}).status_code == 403
    with pytest.raises(Refused, match="Only an owner"):
        membership.change_role(operator, own, Role.OWNER)
    row.refresh_from_db()
    assert row.role == Role.VIEWER
    of(owner).post(url("membership_change", row.pk), {"role": "3"})
    row.refresh_from_db()
    assert row.role == Role.OPERATOR


def test_the_last_owner_stays(owner, team, admin_client):
    row = owner.memberships.get()
    client = of(owner)
    said = client.post(url("membership_change", row.pk), {"role": "1"}).content.decode()
    assert "last owner of Acme" in said
    assert "last owner" in client.post(url("membership_remove", row.pk)).content.decode()
    delete = reverse("admin:auth_user_delete", args=[owner.pk])
    assert "only owner of Acme" in admin_client.get(delete).content.decode()
    admin_client.post(delete, {"post": "yes"})
    assert User.objects.filter(pk=owner.pk).exists()
    MembershipFactory(team=team, role=Role.OWNER, user=UserFactory(is_active=False))
    assert "last owner" in client.post(url("membership_remove", row.pk)).content.decode()
    MembershipFactory(team=team, role=Role.OWNER)
    assert client.post(url("membership_remove", row.pk)).url == reverse("admin:index")
    assert not Membership.objects.filter(pk=row.pk).exists()
    assert client.get(url("team_change", team.pk)).status_code == 403  # no role anywhere


def test_the_page_shows_who_may_what_in_as_many_queries_for_many(
    owner, team, site, django_assert_max_num_queries, django_assert_num_queries
):
    client = of(owner)
    for page in (url("team_change", team.pk), url("site_people", site.pk)):
        client.get(page)
    for _ in range(3):
        MembershipFactory(team=team)
        MembershipFactory(site=site)
        invitations.invite(owner, team, f"{UserFactory().username}@example.com", Role.VIEWER)
    counts = {}
    pages = (url("team_change", team.pk), url("site_people", site.pk), url("team_changelist"))
    for page in pages:
        with django_assert_max_num_queries(25) as found:
            assert owner.username in client.get(page).content.decode()
        counts[page] = len(found)
    for _ in range(12):
        MembershipFactory(team=team)
        MembershipFactory(site=site)
        member(Role.VIEWER, TeamFactory())
    for page in pages:
        with django_assert_num_queries(counts[page]):
            client.get(page)


def test_a_viewer_sees_people_but_no_way_to_change_them(owner, team):
    invitations.invite(owner, team, "secret@example.com", Role.VIEWER)
    content = of(member(Role.VIEWER, team)).get(url("team_change", team.pk)).content.decode()
    assert owner.username in content
    assert "secret@example.com" not in content
    assert url("team_invite", team.pk) not in content
    assert "Leave" in content


def test_names_are_inert(owner, team):
    MembershipFactory(team=team, user=UserFactory(username="<script>alert(1)</script>"))
    team.name = "<img src=x onerror=alert(1)>"
    team.save()
    content = of(owner).get(url("team_change", team.pk)).content.decode()
    assert "<script>alert" not in content
    assert "<img src=x" not in content
    page = url("team_rename", team.pk)
    assert "one line of plain text" in of(owner).post(page, {"name": "a\u202eb"}).content.decode()
    of(owner).post(page, {"name": "Studio"})
    team.refresh_from_db()
    assert team.name == "Studio"


def test_the_installation_keeps_a_superuser(admin_client, admin_user):
    page = reverse("admin:auth_user_change", args=[admin_user.pk])
    form = {"username": "admin", "is_active": "on"}
    assert "last superuser" in admin_client.post(page, form).content.decode()
    UserFactory(username="Ada")
    assert "has this name" in admin_client.post(page, form | {"username": "aDA"}).content.decode()
    client = of(member(Role.OWNER, TeamFactory()))
    assert client.get(page).status_code in (403, 404)
    assert client.get(reverse("admin:auth_user_changelist")).status_code == 403


def as_somebody_else(act: Callable[[], object]) -> tuple[threading.Thread, list[str]]:
    """Begun in a transaction of its own; what it was refused with."""
    refused: list[str] = []

    def run() -> None:
        try:
            act()
        except Refused as error:
            refused.append(str(error))
        finally:
            connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()
    return thread, refused


def until_it_waits(thread: threading.Thread) -> None:
    """Looked up in the locks: a transaction sees those of its statement, and not of its begin."""
    while thread.is_alive():
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
            if cursor.fetchone()[0]:
                return


@pytest.mark.django_db(transaction=True)
def test_of_two_owners_or_superusers_who_demote_each_other_at_once_one_stays(owner, team):
    other = member(Role.OWNER, team)
    third = member(Role.OWNER, team)
    assert may(other, Act.OWN, team)  # read before the other one's change
    with transaction.atomic():
        membership.change_role(owner, other.memberships.get(), Role.VIEWER)
        row = owner.memberships.get()
        thread, refused = as_somebody_else(lambda: membership.change_role(other, row, Role.VIEWER))
        until_it_waits(thread)
    thread.join(60)
    assert refused == ["Only an owner of Acme gives roles."]

    ownerless: list[str] = []
    with transaction.atomic():
        membership.remove(third, third.memberships.get())
        thread, _ = as_somebody_else(lambda: ownerless.extend(membership.last_owned(owner)))
        until_it_waits(thread)
    thread.join(60)
    assert ownerless == ["Acme"]
    assert team.memberships.get(role=Role.OWNER).user == owner

    first, second = UserFactory(is_superuser=True), UserFactory(is_superuser=True)
    last: list[bool] = []
    with transaction.atomic():
        assert not membership.is_last_superuser([second])
        User.objects.filter(pk=second.pk).update(is_superuser=False)
        thread, _ = as_somebody_else(lambda: last.append(membership.is_last_superuser([first])))
        until_it_waits(thread)
    thread.join(60)
    assert last == [True]


def test_who_owns_a_site_gives_it_to_a_team_that_they_may_make_sites_in(team, site):
    """And may save the rest, though they make no sites in the team that it is in."""
    user = MembershipFactory(site=site, role=Role.OWNER).user
    there, elsewhere = TeamFactory(name="There"), TeamFactory(name="Elsewhere")
    MembershipFactory(team=there, user=user, role=Role.OPERATOR)
    MembershipFactory(team=elsewhere, user=user, role=Role.DEPLOYER)
    form = {"price_class": site.price_class, "headers": site.headers, "trailing_slash": "always"}

    page = of(user).get(url("site_settings", site.pk)).content.decode()
    assert [name in page for name in (">There<", ">Elsewhere<")] == [True, False]
    for to, now in ((team, team), (elsewhere, team), (there, there)):
        of(user).post(url("site_settings", site.pk), form | {"team": to.pk})
        site.refresh_from_db()
        assert site.team == now
    assert site.trailing_slash == "always"
    of(user).post(url("site_settings", site.pk), form | {"team": ""})
    site.refresh_from_db()
    assert site.team == there


def test_a_team_goes_with_its_people_but_not_while_it_has_sites(owner, team, site, admin_client):
    page = reverse("admin:sites_team_delete", args=[team.pk])
    assert "1 site: give them to another team first." in admin_client.get(page).content.decode()
    assert admin_client.post(page, {"post": "yes"}).status_code == 200  # said once more
    Site.objects.update(team=TeamFactory())
    assert admin_client.post(page, {"post": "yes"}).status_code == 302
    assert not Team.objects.filter(pk=team.pk).exists()
    assert Site.objects.filter(pk=site.pk).exists()
