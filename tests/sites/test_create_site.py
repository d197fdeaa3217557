"""The command that makes the row of a site: what cannot be is refused, and nothing is made."""

from __future__ import annotations

import pytest
from django.core.management import CommandError, call_command

from sites.models import Site
from tests.factories import AccountFactory, SiteFactory

pytestmark = pytest.mark.django_db


def test_a_site_is_a_row(capsys):
    AccountFactory()
    call_command("create_site", "shop", "--domain", "shop.example.com", "--no-counter")

    site = Site.objects.get(name="shop")
    assert (site.state, site.has_counter) == (Site.State.DRAFT, False)
    assert [domain.name for domain in site.domains.all()] == ["shop.example.com"]
    assert "provision_site shop" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["taken"], "already exists"),
        (["Not A Name"], "“Not A Name”"),
        (["shop", "--domain", "https://example.com/"], "https://example.com/"),
        (["shop", "--account", "nobody"], "no AWS account “nobody”"),
    ],
)
def test_a_site_that_cannot_be(arguments, words):
    SiteFactory(name="taken")
    with pytest.raises(CommandError, match=words) as refusal:
        call_command("create_site", *arguments)

    assert refusal.value.returncode == 1
    assert [site.name for site in Site.objects.all()] == ["taken"]


@pytest.mark.parametrize("command", [["site_status"], ["provision_site"], ["deploy_site", "."]])
def test_a_site_that_nobody_made(command):
    name, *rest = command
    with pytest.raises(CommandError, match="no site “nobody”"):
        call_command(name, "nobody", *rest)
