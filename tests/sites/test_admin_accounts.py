"""The pages of AWS accounts."""

from __future__ import annotations

import pytest
from django.urls import reverse

from sites.models import Account, Role
from tests.factories import AccountFactory, ResourceFactory, SiteFactory, member

pytestmark = pytest.mark.django_db


def test_accounts_are_changed_by_superusers(admin_client, client):
    account = AccountFactory(name="agency")
    url = reverse("admin:sites_account_change", args=[account.pk])
    assert str(account.external_id) in admin_client.get(url).content.decode()
    form = {"name": "studio", "region": "eu-central-1", "role_arn": "", "aws_account_id": "1" * 12}
    admin_client.post(url, form)
    client.force_login(member(Role.OWNER, SiteFactory(account=account)))
    assert client.post(url, form | {"name": "mine"}).status_code == 403
    changed = Account.objects.get()
    assert (changed.name, changed.region) == ("studio", "eu-central-1")
    assert changed.aws_account_id == account.aws_account_id


def test_an_account_has_the_external_id_that_its_page_shows(admin_client):
    add = reverse("admin:sites_account_add")
    assert "xternal id" not in admin_client.get(add).content.decode()
    form = {"name": "agency", "aws_account_id": "1" * 12, "region": "Frankfurt", "role_arn": "me"}
    refused = admin_client.post(add, form).content.decode()
    assert "A region looks like “us-east-1”" in refused
    assert "ARN looks like “arn:aws:iam::123456789012:role/cloudadmin”" in refused
    right = {"region": "eu-central-1", "role_arn": "arn:aws:iam::111111111111:role/cloudadmin"}
    shown = admin_client.post(add, form | right, follow=True).content.decode()
    assert "agency is added" in shown
    assert str(Account.objects.get().external_id) in shown


def test_region_is_settled_once_something_exists(admin_client):
    account = AccountFactory(region="us-east-1")
    ResourceFactory(site__account=account)
    url = reverse("admin:sites_account_change", args=[account.pk])
    admin_client.post(url, {"name": "x", "region": "eu-central-1", "role_arn": ""})
    account.refresh_from_db()
    assert (account.name, account.region) == ("x", "us-east-1")
