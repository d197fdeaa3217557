"""Letters about a login that something is wrong with."""

from __future__ import annotations

import pytest
from allauth.mfa.totp.internal.auth import TOTP
from django.core import mail
from django.test import Client
from django.utils import timezone

from cloudadmin.login import guesses
from cloudadmin.login.models import Guesses
from tests.factories import UserFactory

pytestmark = pytest.mark.django_db

ASKS, ASKS_AGAIN = "/second-factor/authenticate/", "/second-factor/reauthenticate/"


@pytest.fixture
def ada(settings):
    settings.IS_MAIL_READY = True
    user = UserFactory(username="ada", is_superuser=True, email="ada@example.com")
    TOTP.activate(user, "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP")
    return user


def guess(client: Client, path: str, times: int) -> None:
    for _ in range(times):
        client.post(path, {"code": "000000"})


def test_of_wrong_codes_by_who_knows_the_password_its_owner_is_told_once_for_each_lock(ada):
    client = Client(
        headers={"User-Agent": "Firefox, call http://evil.example", "Host": "testserver"}
    )
    client.post("/login/", {"login": "ada", "password": "secret"})
    guess(client, ASKS, guesses.LIMIT - 1)
    assert not mail.outbox

    guess(client, ASKS, 5)
    (letter,) = mail.outbox
    assert letter.to == ["ada@example.com"]
    assert 'knows the password of your login "ada"' in letter.body
    assert 'change your password under "Your login"' in letter.body
    assert "Firefox" in letter.body
    assert "http" not in str(letter.subject) + str(letter.body)  # whoever guesses writes nothing

    Guesses.objects.update(since=timezone.now() - guesses.WINDOW * 1.1)
    guess(client, ASKS, guesses.LIMIT)
    assert len(mail.outbox) == 2


def test_of_wrong_codes_in_a_session_that_is_open_its_owner_is_told_to_end_it(client, ada):
    client.force_login(ada)
    guess(client, ASKS_AGAIN, guesses.LIMIT)

    (letter,) = mail.outbox
    assert "Somebody who is logged in as you" in letter.body
    assert "end all other sessions" in letter.body


def test_wrong_passwords_alone_send_no_letter(client, ada):
    for _ in range(guesses.LIMIT + 1):
        client.post("/login/", {"login": "ada", "password": "wrong"})

    assert not mail.outbox


def test_of_a_changed_password_its_owner_is_told_which_where_and_what_to_do(client, settings):
    settings.IS_MAIL_READY, settings.CLOUDADMIN_URL = True, "https://admin.example.com"
    UserFactory(username="ada", email="ada@example.com")
    client.post("/login/", {"login": "ada", "password": "secret"})
    new = "correct horse battery"
    form = {"oldpassword": "secret", "password1": new, "password2": new}
    client.post("/password/change/", form, headers={"User-Agent": "Firefox <b> Linux"})

    (letter,) = mail.outbox
    assert letter.subject == "cloudadmin: Your password was changed"
    for said in (
        'Your password was changed. This is about your login "ada".',
        "It was not you? Then log in, end all other sessions",
        "- Browser: Firefox on Linux\n",
        "cloudadmin, https://admin.example.com",
    ):
        assert said in letter.body
