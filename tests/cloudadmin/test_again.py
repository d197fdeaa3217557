"""Before what cannot be undone, people prove anew who they are."""

from __future__ import annotations

import time
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP
from allauth.mfa.utils import encrypt
from django.contrib.auth.models import User
from django.core.cache import CacheHandler, cache
from django.test import Client, RequestFactory
from django.urls import ResolverMatch, reverse
from django.utils.http import urlencode

from cloudadmin.login import again
from cloudadmin.login.second_factor import SecondFactorMiddleware
from sites.models import Role
from tests.cloudadmin.login import PROVE, SECRET, SETUP, code, log_in, where
from tests.factories import MembershipFactory, SiteFactory, UserFactory

pytestmark = pytest.mark.django_db


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
