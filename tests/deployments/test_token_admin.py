"""Tokens and trusted repositories in the dashboard."""

from __future__ import annotations

import re

import pytest
from django.contrib.admin.models import LogEntry
from django.urls import reverse

from deployments import tokens
from deployments.models import DeployToken, TrustedRepository
from sites.models import Role
from tests.factories import RepositoryFactory, SiteFactory, member

pytestmark = pytest.mark.django_db

ADD = "admin:deployments_deploytoken_add"


@pytest.fixture
def site():
    return SiteFactory(name="shop")


def make(client, site, **changes):
    data = {"site": site.pk, "name": "CI", "scopes": ["deploy", "rollback"], "days": "90"}
    return client.post(reverse(ADD), data | changes)


def test_a_token_is_shown_once(admin_client, admin_user, site):
    assert "90 days" in admin_client.get(reverse(ADD)).content.decode()
    response = make(admin_client, site)
    assert "no-store" in response["Cache-Control"]
    text = re.search(r"cad_[\w-]{43}", response.content.decode())
    assert text is not None
    row = tokens.verify(text[0])
    assert (row.site, row.scopes, row.creator) == (site, ["deploy", "rollback"], admin_user)
    assert DeployToken.objects.count() == 1
    for page in (
        reverse("admin:deployments_deploytoken_changelist"),
        reverse("admin:deployments_deploytoken_change", args=[row.pk]),
    ):
        content = admin_client.get(page).content.decode()
        assert row.prefix in content
        assert text[0] not in content


@pytest.mark.parametrize("changes", [{"scopes": []}, {"scopes": ["root"]}, {"days": "999"}])
def test_a_token_that_makes_no_sense_is_not_made(admin_client, site, changes):
    assert make(admin_client, site, **changes).status_code == 200
    assert not DeployToken.objects.exists()


def test_a_token_is_revoked_after_a_question(admin_client, site):
    make(admin_client, site)
    row = DeployToken.objects.get()
    url = reverse("admin:deployments_deploytoken_revoke", args=[row.pk])
    assert "refused from the next request" in admin_client.get(url).content.decode()
    assert DeployToken.objects.filter(revoked_at=None).exists()
    content = admin_client.post(url, follow=True).content.decode()
    assert not DeployToken.objects.filter(revoked_at=None).exists()
    assert "Revoked" in content
    assert url not in content


@pytest.mark.parametrize(
    ("role", "may"),
    [(Role.OWNER, True), (Role.OPERATOR, False)],
)
def test_who_makes_one_owns_the_site(client, site, role, may):
    client.force_login(member(role, site))
    assert make(client, site).status_code == (200 if may else 403)
    assert DeployToken.objects.exists() == may


def test_a_repository_is_trusted_by_its_name(admin_client, site):
    url = reverse("admin:deployments_trustedrepository_add")
    data = {"site": site.pk, "repository": "https://github.com/maker/shop", "scopes": ["deploy"]}
    admin_client.post(url, data)
    assert TrustedRepository.objects.get().repository == "maker/shop"
    content = admin_client.post(url, data | {"repository": "shop"}).content.decode()
    assert "owner/name" in content


def test_a_repository_is_trusted_at_the_production_branch_unless_somebody_asks_for_more(
    admin_client, site
):
    url = reverse("admin:deployments_trustedrepository_add")
    data = {"site": site.pk, "repository": "maker/shop", "scopes": ["deploy"]}
    admin_client.post(url, data)
    RepositoryFactory(site=site, production_branch="trunk")
    admin_client.post(url, data)
    admin_client.post(url, data | {"ref": "*"})
    refs = TrustedRepository.objects.order_by("pk").values_list("ref", flat=True)
    assert list(refs) == ["refs/heads/main", "refs/heads/trunk", ""]
    listed = admin_client.get(reverse("admin:deployments_trustedrepository_changelist"))
    assert "every ref" in listed.content.decode()
    every = reverse(
        "admin:deployments_trustedrepository_change",
        args=[TrustedRepository.objects.get(ref="").pk],
    )
    assert 'value="*"' in admin_client.get(every).content.decode()
    said = [entry.get_change_message() for entry in LogEntry.objects.order_by("pk")]
    assert said[-1] == "maker/shop at every ref may at shop: deploy."
    assert said[0] == "maker/shop at refs/heads/main may at shop: deploy."


@pytest.mark.parametrize("may", [True, False])
def test_who_trusts_a_repository_owns_the_site(client, site, may):
    client.force_login(member(Role.OWNER if may else Role.OPERATOR, site))
    row = TrustedRepository.objects.create(site=site, repository="a/b", scopes=["read"])
    data = {"site": site.pk, "repository": "maker/shop", "scopes": ["deploy"], "ref": "main"}

    def post(page: str, *args: int, **more: str) -> int:
        url = reverse(f"admin:deployments_trustedrepository_{page}", args=args)
        return int(client.post(url, data | more).status_code)

    expected = 302 if may else 403
    assert post("add") == expected
    assert post("change", row.pk, repository="c/d") == expected
    assert TrustedRepository.objects.filter(repository="c/d").exists() is may
    assert post("delete", row.pk, post="yes") == expected
    assert TrustedRepository.objects.count() == 1
