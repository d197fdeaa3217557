"""The way in: names, passwords, second factors, guesses, sessions."""

from __future__ import annotations

import re
import time

import pytest
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP
from django.core import mail
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from cloudadmin.login import guesses
from cloudadmin.login.models import Guesses
from sites.models import Membership, Role
from tests.cloudadmin.login import PROVE, SECRET, SETUP, code, log_in, where
from tests.factories import MembershipFactory, SiteFactory, UserFactory

pytestmark = pytest.mark.django_db

# --- The second factor --------------------------------------------------------------------------


def test_who_can_destroy_sets_up_a_second_factor_before_anything_else(client, ada, commits):
    assert log_in(client).url == "/"
    assert client.get("/sites/site/?q=1").url == f"{SETUP}?next=%2Fsites%2Fsite%2F%3Fq%3D1"
    page = client.get(SETUP).content.decode()
    secret = re.findall(r'id="secret">(\w+)<', page)[0]
    assert 'src="data:image/svg+xml;base64,' in page

    wrong = client.post(SETUP, {"code": "000000"})
    done = client.post(SETUP, {"code": code(secret)})

    assert "not right" in wrong.content.decode()
    assert done.url == "/second-factor/recovery-codes/"
    assert len(re.findall(r"<li><code>\d{8}", client.get(done.url).content.decode())) == 10
    assert client.get("/sites/site/").status_code == 200
    assert secret not in str(ada.authenticator_set.values_list("data", flat=True))


def test_who_takes_their_time_to_set_it_up_keeps_the_key_that_their_app_has(client, ada):
    log_in(client)
    shown = re.compile(r'id="secret">(\w+)<')
    (secret,) = shown.findall(client.get(SETUP).content.decode())
    session = client.session
    session["account_authentication_methods"] = [{"method": "password", "at": time.time() - 400}]
    session.save()

    asked = client.post(SETUP, {"code": code(secret)})
    assert asked.url.startswith("/reauthenticate/")
    back = client.post(asked.url, {"password": "secret", "next": SETUP})
    assert shown.findall(client.get(back.url).content.decode()) == [secret]
    assert client.post(SETUP, {"code": code(secret)}).url == "/second-factor/recovery-codes/"


@pytest.mark.parametrize("role", [Role.OPERATOR, Role.OWNER])
def test_owners_need_one_and_operators_do_not(client, role):
    user = UserFactory(username="ada")
    Membership.objects.create(user=user, site=SiteFactory(), role=role)
    log_in(client)

    assert (client.get("/").status_code == 302) is (role == Role.OWNER)


def test_a_session_from_before_the_second_factor_is_asked_for_it_and_cannot_change_it(client, ada):
    log_in(client)
    TOTP.activate(ada, SECRET)

    for path in (SETUP, "/second-factor/webauthn/add/", "/second-factor/", "/reauthenticate/"):
        assert client.get(path).url.startswith(PROVE), path
    assert client.get("/logout/").status_code == 200
    asked = client.post(PROVE, {"code": code(), "next": "/sites/site/"})

    assert asked.url == "/sites/site/"
    assert client.get(asked.url).status_code == 200


def test_a_login_asks_for_the_code_and_a_recovery_code_is_good_once(client, ada):
    TOTP.activate(ada, SECRET)
    recovery = RecoveryCodes.activate(ada).get_unused_codes()[0]

    for expected in (302, 200):
        client.logout()
        assert log_in(client).url == "/second-factor/authenticate/"
        assert client.get("/").url == "/login/?next=/"
        answer = client.post("/second-factor/authenticate/", {"code": recovery})
        assert answer.status_code == expected


def test_a_part_of_a_page_sends_the_whole_page_to_the_question(client, ada):
    log_in(client)
    shown = {"HX-Request": "true", "HX-Current-URL": "http://testserver/sites/site/?p=2"}

    answer = client.get("/sites/site/", headers=shown)

    assert answer.status_code == 204
    assert answer["HX-Redirect"] == f"{SETUP}?next=%2Fsites%2Fsite%2F%3Fp%3D2"


def test_the_first_second_factor_ends_sessions_that_began_without_it(client, commits):
    MembershipFactory(user=UserFactory(username="ada"), role=Role.OPERATOR)
    other = Client()
    for each in (other, client):
        log_in(each)
    secret = re.findall(r'id="secret">(\w+)<', client.get(SETUP).content.decode())[0]
    client.post(SETUP, {"code": code(secret)})

    assert client.get("/").status_code == 200
    assert where(other, "/").startswith("/login/")


def test_the_last_second_factor_removed_is_no_proof_any_more(client, ada, commits):
    TOTP.activate(ada, SECRET)
    other = Client()
    for each in (other, client):
        log_in(each)
        each.post(
            "/second-factor/authenticate/",
            {"code": RecoveryCodes.activate(ada).get_unused_codes()[0]},
        )
    client.post("/second-factor/totp/deactivate/")

    assert client.get("/").url.startswith(SETUP)
    assert where(other, "/").startswith("/login/")


def test_a_command_lets_in_who_lost_their_second_factor(client, ada):
    TOTP.activate(ada, SECRET)
    exhaust(client, "ada")
    log_in(client)
    call_command("let_in", "ADA")

    assert log_in(client).url == "/"
    assert where(client, "/").startswith(SETUP)
    with pytest.raises(CommandError, match="no user “bob”"):
        call_command("let_in", "bob")


# --- Guesses --------------------------------------------------------------------------------------


def exhaust(client: Client, name: str) -> None:
    for _ in range(guesses.LIMIT):
        log_in(client, name, "wrong")


@pytest.mark.parametrize("name", ["ada", "ADA", "nobody"])
def test_guesses_lock_unknown_devices_alike_whether_the_name_exists(client, ada, name):
    exhaust(client, name)

    assert "Too many wrong answers" in log_in(client, name.lower()).content.decode()


def test_who_guesses_does_not_lock_out_a_device_that_logged_in_before(client, ada):
    log_in(client)
    client.post("/logout/")
    guesser = Client()
    exhaust(guesser, "ada")

    assert "Too many" in log_in(guesser).content.decode()
    assert log_in(client).status_code == 302


def test_a_device_cookie_is_good_for_its_person_alone_and_guesses_with_it_are_counted(client, ada):
    UserFactory(username="bob")
    log_in(client, "bob")
    client.post("/logout/")
    exhaust(client, "ada")
    assert "Too many" in log_in(client).content.decode()

    exhaust(client, "bob")
    assert "Too many" in log_in(client, "bob").content.decode()
    assert log_in(Client(), "bob").status_code == 302


def test_a_lock_opens_by_itself(client, ada):
    exhaust(client, "ada")
    Guesses.objects.update(since=timezone.now() - guesses.WINDOW * 1.1)

    assert log_in(client).status_code == 302


def test_codes_are_guessed_as_slowly_as_passwords(client, ada):
    TOTP.activate(ada, SECRET)
    log_in(client)
    for _ in range(guesses.LIMIT):
        client.post("/second-factor/authenticate/", {"code": "000000"})

    page = client.post("/second-factor/authenticate/", {"code": code()}).content.decode()
    assert "Too many wrong answers" in page


# --- Sessions -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("key", "hours"), [("seen", 12.1), ("born", 14 * 24.1)])
def test_a_session_ends_after_idle_hours_and_after_two_weeks(client, ada, key, hours):
    client.force_login(ada)
    session = client.session
    session[key] -= hours * 3600
    session.save()

    assert where(client, "/") == "/login/?next=/"


def test_a_new_password_ends_all_other_sessions_and_so_does_the_button(client):
    MembershipFactory(user=UserFactory(username="ada"))
    others = Client(), Client()
    for each in (client, *others):
        log_in(each)
    before = client.session.session_key

    listed = client.get("/sessions/").content.decode()
    client.post("/sessions/")
    gone = where(others[0], "/")
    log_in(others[1])
    new = {"oldpassword": "secret", "password1": "Korrekt-Pferd-9", "password2": "Korrekt-Pferd-9"}
    client.post("/password/change/", new)

    assert listed.count("Some browser") == 3
    assert gone == "/login/?next=/"
    assert where(others[1], "/") == "/login/?next=/"
    assert client.get("/").status_code == 200
    assert client.session.session_key != before


def test_the_next_page_is_on_this_host(client):
    UserFactory(username="ada")
    for there in ("https://evil.example/", "//evil.example/", "/\\evil.example"):
        client.logout()
        assert log_in(client, next=there).url == "/"


def test_a_letter_leads_to_a_new_password_and_unknown_addresses_get_none(client, ada, settings):
    settings.IS_MAIL_READY = True
    for address in ("ada@example.com", "nobody@example.com"):
        answer = client.post("/password/reset/", {"email": address})
        assert answer.url == "/password/reset/done/"

    assert [letter.to for letter in mail.outbox] == [["ada@example.com"]]
    link = re.findall(r"http://testserver(\S+)", str(mail.outbox[0].body))[0]
    assert client.get(client.get(link).url).status_code == 200


def test_nobody_signs_up_and_the_admins_own_pages_lead_to_ours(client):
    assert client.get("/signup/").url == "/login/?next=/signup/"
    assert client.get("/password_change/").url == "/password/change/"
