"""The way in: names, passwords, second factors, guesses, sessions."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, hotp_value
from allauth.mfa.utils import encrypt
from django.contrib.auth.models import User
from django.core import mail
from django.core.cache import CacheHandler, cache
from django.core.management import CommandError, call_command
from django.db import transaction
from django.test import Client, RequestFactory
from django.urls import ResolverMatch, reverse
from django.utils import timezone
from django.utils.http import urlencode

from cloudadmin.login import again, guesses
from cloudadmin.login.models import Guesses
from cloudadmin.login.second_factor import SecondFactorMiddleware
from sites.models import Membership, Role
from tests.factories import MembershipFactory, SiteFactory, UserFactory

pytestmark = pytest.mark.django_db

SETUP, PROVE = "/second-factor/totp/activate/", "/second-factor/reauthenticate/"
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


def code(secret: str = SECRET) -> str:
    return str(format_hotp_value(hotp_value(secret, int(time.time()) // 30)))


def log_in(client: Client, name: str = "ada", password: str = "secret", **more: str) -> Any:
    return client.post("/login/", {"login": name, "password": password, **more})


def where(client: Client, path: str) -> str:
    """Where it leads."""
    return str(client.get(path)["Location"])


@pytest.fixture
def ada():
    return UserFactory(username="ada", is_superuser=True, email="ada@example.com")


@pytest.fixture
def commits(monkeypatch):
    """What follows a commit does so inside the request, as it does outside of tests."""
    monkeypatch.setattr(transaction, "on_commit", lambda do, *args, **kwargs: do())


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


# --- Asked again ----------------------------------------------------------------------------------


def test_destroy_asks_who_has_not_just_proven_who_they_are(client, ada):
    site = SiteFactory(live=True)
    client.force_login(ada)
    session = client.session
    for record in session["account_authentication_methods"]:
        record["at"] -= 400
    session.save()
    path = f"/sites/site/{site.pk}/destroy/"

    assert (
        client.post(path, {"name": site.name}).url
        == f"/reauthenticate/?next={path.replace('/', '%2F')}"
    )
    assert not site.operations.exists()
    client.post("/reauthenticate/", {"password": "wrong", "next": path})
    assert client.get(path).status_code == 302
    assert client.post("/reauthenticate/", {"password": "secret", "next": path}).url == path
    assert client.get(path).status_code == 200


def with_factors(user: User, client: Client, *types: str, ago: float = 400) -> None:
    """In a session whose person proved who they are so many seconds ago, by these in turn."""
    data = {"totp": {"secret": encrypt(SECRET)}, "webauthn": {"name": "key", "credential": {}}}
    for type in types:
        Authenticator.objects.create(user=user, type=type, data=data[type])
    client.force_login(user)
    session = client.session
    at = time.time() - ago
    session["account_authentication_methods"] = [
        {"method": "mfa", "type": type, "id": 1, "at": at} for type in types
    ]
    session.save()


def test_whoever_has_a_second_factor_is_asked_for_that_and_not_for_the_password(client, ada):
    with_factors(ada, client, "totp")
    path = f"/sites/site/{SiteFactory(live=True).pk}/destroy/"

    assert client.get(path).url.startswith(f"{PROVE}?next=")
    answer = client.post("/reauthenticate/", {"password": "secret", "next": path})
    assert answer.url.startswith(PROVE)
    assert client.get(path).status_code == 302
    assert "Use your password" not in client.get(PROVE).content.decode()
    assert client.post(PROVE, {"code": code(), "next": path}).url == path
    assert client.get(path).status_code == 200


def test_a_login_by_password_alone_is_no_answer_once_there_is_a_second_factor(client):
    """As of an operator, who need not have one, in a session from before it."""
    member = MembershipFactory(user=UserFactory(username="ada"), role=Role.OPERATOR)
    log_in(client)
    ask = f"/sites/site/{SiteFactory(team=member.team).pk}/protect/"
    assert client.get(ask).status_code == 200
    TOTP.activate(member.user, SECRET)

    for path in (ask, "/second-factor/recovery-codes/generate/", "/password/change/"):
        assert client.get(path).url.startswith(PROVE), path


def test_the_second_factor_of_the_last_time_is_offered_first_and_a_recovery_code_does(client, ada):
    passkey = "/second-factor/webauthn/reauthenticate/"
    page = reverse("admin:auth_user_change", args=[ada.pk])
    with_factors(ada, client, "webauthn", "totp")
    assert client.get(page).url.startswith(PROVE)
    assert "Use a passkey" in client.get(PROVE).content.decode()
    Authenticator.objects.filter(type="totp").delete()
    with_factors(ada, client)
    session = client.session
    session["account_authentication_methods"] = []
    session.save()
    recovery = RecoveryCodes.activate(ada).get_unused_codes()[0]

    assert client.get(page).url.startswith(passkey)
    wrong = client.post(passkey, {"credential": "{}", "next": page})
    assert wrong.url == f"{passkey}?{urlencode({'next': page})}"
    assert [each["description"] for each in ways_of(client, ada)] == [
        "Use a passkey",
        "Use a recovery code",
    ]
    assert client.post(PROVE, {"code": recovery, "next": page}).url == page
    assert client.get(page).status_code == 200


def ways_of(client: Client, user: User) -> list[dict[str, str]]:
    request = RequestFactory().get("/")
    request.user, request.session = user, client.session
    return again.ways(request)


def test_codes_are_good_once_in_whatever_process(client, ada, monkeypatch):
    """Even after allauth has forgotten it, for it is good for three times half a minute."""
    with_factors(ada, client, "totp")
    used = code()
    assert client.post(PROVE, {"code": used}).status_code == 302
    monkeypatch.setattr("allauth.mfa.totp.internal.auth.cache", CacheHandler()["default"])
    assert "not right" in client.post(PROVE, {"code": used}).content.decode()
    cache.clear()

    answer = client.post(PROVE, {"code": f"{used[:3]} {used[3:]}"})
    assert "not right" in answer.content.decode()


def test_who_logs_in_by_a_provider_alone_does_so_again_before_a_second_factor_is_added(client, ada):
    ada.set_unusable_password()
    ada.save()
    with_factors(ada, client)
    session = client.session
    session["account_authentication_methods"] = [
        {"method": "socialaccount", "at": time.time() - 400}
    ]
    session.save()

    assert client.get("/second-factor/webauthn/add/").url.startswith("/login/?next=")
    assert where(client, "/").startswith("/login/")


def test_nor_is_another_login_of_a_provider_added(client, ada):
    """Its address is there only where the settings name a provider."""
    with_factors(ada, client, "totp")
    request: Any = RequestFactory().post("/oidc/oidc/login/", {"process": "connect"})
    request.user, request.session = ada, client.session
    request.resolver_match = ResolverMatch(
        client.get, (), {}, "openid_connect_login", route="oidc/<provider_id>/login/"
    )

    led = SecondFactorMiddleware(client.get).process_view(request, client.get, (), {})

    assert led is not None
    assert led["Location"].startswith(PROVE)


def test_a_new_password_by_e_mail_is_no_way_around_the_second_factor_of_a_provider(
    client, ada, settings, monkeypatch
):
    """Else whoever reads that mail sets a second factor up."""
    settings.CLOUDADMIN_LOGIN_OIDC_IS_ENOUGH = True
    monkeypatch.setattr(again, "is_vouched_for", lambda user: True)
    log_in(client)

    assert client.get(SETUP).url.startswith("/login/?next=")
    assert "with your provider" in client.get("/login/").content.decode()
    assert where(client, "/").startswith("/login/")


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
