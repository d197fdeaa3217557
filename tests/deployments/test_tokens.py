"""Tokens: shown once, kept as a digest, good for what they say and for so long."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from deployments import tokens
from deployments.models import DeployToken, Scope
from sites.errors import Refused
from sites.models import Role
from tests.factories import SiteFactory, member

DAY = timedelta(days=1)


@pytest.fixture
def site(db):
    return SiteFactory(name="shop")


def issue(site, *, scopes=(Scope.DEPLOY,), lives=DAY, creator=None):
    return tokens.issue(site, "CI", scopes, timezone.now() + lives, creator)


def test_the_token_is_nowhere_in_its_row(site):
    row, text = issue(site)
    assert text.startswith("cad_")
    assert len(text) == 4 + 43
    row.refresh_from_db()
    kept = [str(value) for name, value in vars(row).items() if name != "prefix"]
    assert not any(text in value or value in text for value in kept if len(value) > 8)
    assert text.startswith(row.prefix)
    assert tokens.verify(text) == row


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"revoked_at": timezone.now()}, "revoked"),
        ({"expires_at": timezone.now() - DAY}, "expired"),
    ],
)
def test_a_token_that_is_over_is_refused_with_the_reason(site, change, said):
    row, text = issue(site)
    DeployToken.objects.filter(pk=row.pk).update(**change)
    with pytest.raises(tokens.TokenRefused, match=said):
        tokens.verify(text)


def test_a_token_does_no_more_than_its_creator_may_now(site):
    user = member(Role.OWNER, site)
    text = issue(site, creator=user)[1]
    assert tokens.allows(tokens.verify(text), Scope.DEPLOY)
    user.memberships.update(role=Role.VIEWER)
    assert not tokens.allows(tokens.verify(text), Scope.DEPLOY)
    assert tokens.allows(tokens.verify(text), Scope.READ)
    user.is_active = False
    user.save()
    with pytest.raises(tokens.TokenRefused, match="no role for shop"):
        tokens.verify(text)
    user.delete()
    with pytest.raises(tokens.TokenRefused, match="No such token"):
        tokens.verify(text)


@pytest.mark.parametrize("text", ["", "cad_", "cad_\0", "cad_" + "A" * 43, "ghp_x", "cad_\ud800"])
def test_what_is_no_token_is_refused(site, text):
    with pytest.raises(tokens.TokenRefused):
        tokens.verify(text)


@pytest.mark.parametrize("lives", [timedelta(0), -DAY, 367 * DAY])
def test_a_token_lives_for_a_year_at_most(site, lives):
    with pytest.raises(Refused, match="a year"):
        issue(site, lives=lives)


def test_its_use_is_noted_once_a_minute(site, django_assert_num_queries):
    row, text = issue(site)
    tokens.verify(text)
    row.refresh_from_db()
    assert row.last_used_at is not None
    with django_assert_num_queries(1):
        tokens.verify(text)
    earlier = timezone.now() - timedelta(minutes=2)
    DeployToken.objects.filter(pk=row.pk).update(last_used_at=earlier)
    tokens.verify(text)
    row.refresh_from_db()
    assert row.last_used_at > earlier


@given(given=st.sets(st.sampled_from(list(Scope)), min_size=1))
def test_every_token_may_read_and_none_more_than_its_scopes_together(given):
    row = DeployToken(scopes=list(given))
    assert tokens.allows(row, Scope.READ)
    assert all(tokens.allows(row, scope) for scope in given)
    assert tokens.allows(row, Scope.PREVIEW) == bool(given & {Scope.PREVIEW, Scope.DEPLOY})
    assert tokens.allows(row, Scope.DEPLOY) == (Scope.DEPLOY in given)
    assert tokens.allows(row, Scope.ROLLBACK) == (Scope.ROLLBACK in given)


def test_a_proof_is_exchanged_once_whichever_site_it_is_for(site):
    row, text = tokens.exchange(site, "CI", [Scope.READ], proof="issuer 1", issued_to="repo")
    assert tokens.verify(text) == row
    assert row.expires_at <= timezone.now() + timedelta(minutes=15)
    for other in (site, SiteFactory()):
        with pytest.raises(tokens.AlreadyExchanged):
            tokens.exchange(other, "CI", [Scope.READ], proof="issuer 1", issued_to="repo")
    assert tokens.exchange(site, "CI", [Scope.READ], proof="issuer 2", issued_to="repo")[1] != text


def test_exchanges_that_nobody_can_repeat_are_forgotten(site):
    row, _ = tokens.exchange(site, "CI", [Scope.READ], proof="issuer 1", issued_to="repo")
    kept, _ = issue(site)
    old = timezone.now() - timedelta(days=3)
    DeployToken.objects.update(expires_at=old)
    tokens.exchange(site, "CI", [Scope.READ], proof="issuer 2", issued_to="repo")
    assert not DeployToken.objects.filter(pk=row.pk).exists()
    assert DeployToken.objects.filter(pk=kept.pk).exists()


def test_the_command_prints_it_once(site, capsys):
    call_command("create_token", "shop", "--scope=deploy", "--scope=rollback", "--days=30")
    text = capsys.readouterr().out.strip()
    row = tokens.verify(text)
    assert row.scopes == ["deploy", "rollback"]
    assert timedelta(days=29) < row.expires_at - timezone.now() <= timedelta(days=30)


@pytest.mark.parametrize("days", [0, -1, 400, 10**12])
def test_the_command_refuses_days_that_are_none(site, days):
    with pytest.raises(CommandError, match="a year"):
        call_command("create_token", "shop", "--scope=read", f"--days={days}")
