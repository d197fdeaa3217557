"""The page of what an account has that we do not know, and what can be done about it."""

from __future__ import annotations

from datetime import UTC, datetime
from unittest import mock

import pytest
from django.urls import reverse

from cloudadmin.aws import ClientError
from sites import orphans, tasks
from sites.errors import Refused
from sites.models import Account, Resource, Role
from sites.orphans import Gone, Orphans, Unknown
from sites.provisioning.inventory import Found
from sites.provisioning.resources import Bucket
from tests.factories import (
    AccountFactory,
    OperationFactory,
    ResourceFactory,
    SiteFactory,
    member,
)

pytestmark = pytest.mark.django_db
NAME = "cloudadmin-0123456789ab"
ACTS = ("adopt", "delete", "forget")


def url(account: Account, act: str = "") -> str:
    return reverse("admin:sites_account_orphans" + (f"_{act}" if act else ""), args=[account.pk])


def bucket(name: str) -> Found:
    made = datetime(2026, 1, 2, tzinfo=UTC)
    return Found(Bucket(name, "us-east-1", {}), name, name[-12:], "us-east-1", made)


@pytest.fixture
def account() -> Account:
    return AccountFactory()


@pytest.fixture
def look(monkeypatch, account):
    """What AWS is found to have; set its ``return_value``."""
    site = SiteFactory(account=account, name="corner-shop")
    found = Orphans(
        unknown=(Unknown(bucket(NAME), site, "bucket"),),
        of_others=(Unknown(bucket("cloudadmin-ba9876543210"), None),),
        gone=(Gone(ResourceFactory(site=site, physical_id="cloudadmin-gone")),),
    )
    of_account = mock.create_autospec(orphans.of_account, return_value=found)
    monkeypatch.setattr(orphans, "of_account", of_account)
    return of_account


def test_the_page_comes_before_the_lists(admin_client, account, look):
    content = admin_client.get(url(account)).content.decode()
    assert "?part=1" in content
    look.assert_not_called()
    change = reverse("admin:sites_account_change", args=[account.pk])
    assert url(account) in admin_client.get(change).content.decode()


def test_three_groups_with_what_can_be_done(admin_client, account, look):
    content = admin_client.get(url(account), {"part": 1}).content.decode()
    for said in (NAME, "corner-shop", "of ba9876543210", "cloudadmin-gone", "$0.023 a GB"):
        assert said in content
    for act, times in (("adopt", 1), ("delete", 2), ("forget", 1)):
        assert content.count(url(account, act)) == times


def test_nothing_is_said_to_be_nothing(admin_client, account, look):
    look.return_value = Orphans((), (), ())
    assert "Nothing." in admin_client.get(url(account), {"part": 1}).content.decode()


def test_a_group_is_shown_up_to_a_hundred(admin_client, account, look):
    many = tuple(Unknown(bucket(f"cloudadmin-{n:012x}"), None) for n in range(120))
    look.return_value = Orphans((), many, ())
    content = admin_client.get(url(account), {"part": 1}).content.decode()
    assert "the first 100 of 120" in content
    assert content.count(url(account, "delete")) == 100


def test_an_aws_that_refuses_is_told_in_place(admin_client, account, look):
    look.side_effect = ClientError({"Error": {"Code": "AccessDenied"}}, "ListBuckets")
    assert "AccessDenied" in admin_client.get(url(account), {"part": 1}).content.decode()


def test_accounts_are_the_installations_alone(client, account, look):
    client.force_login(member(Role.OWNER, SiteFactory(account=account)))
    assert client.get(url(account), {"part": 1}).status_code in (403, 404)
    for act in ACTS:
        assert client.post(url(account, act), {"thing": "x"}).status_code in (403, 404)
    look.assert_not_called()


@pytest.mark.parametrize("act", ACTS)
def test_get_does_nothing(admin_client, account, act):
    query = {"thing": f"bucket:{NAME}", "known_as": NAME}
    content = admin_client.get(url(account, act), query).content.decode()
    assert f"bucket:{NAME}" in content
    assert 'method="post"' in content


def test_a_link_does_not_type_the_name(admin_client, account):
    query = {"thing": f"bucket:{NAME}", "known_as": NAME, "name": NAME}
    form = admin_client.get(url(account, "delete"), query).context["form"]
    assert (form["known_as"].value(), form["name"].value()) == (NAME, None)


def test_adopting_and_forgetting(admin_client, admin_user, account, monkeypatch):
    row = mock.create_autospec(Resource, instance=True)
    adopt = mock.create_autospec(orphans.adopt, return_value=row)
    forget = mock.create_autospec(orphans.forget, return_value=["bucket", "bucket_policy"])
    monkeypatch.setattr(orphans, "adopt", adopt)
    monkeypatch.setattr(orphans, "forget", forget)
    form = {"thing": f"bucket:{NAME}", "known_as": NAME}
    assert admin_client.post(url(account, "adopt"), form).url == url(account)
    admin_client.post(url(account, "forget"), form)
    for act in (adopt, forget):
        act.assert_called_once_with(account, f"bucket:{NAME}", admin_user)


def test_deleting_needs_the_name(
    admin_client, admin_user, account, monkeypatch, django_capture_on_commit_callbacks
):
    operation = OperationFactory(site=None, site_name="account", account=account, kind="delete")
    delete = mock.create_autospec(orphans.delete, return_value=operation)
    monkeypatch.setattr(orphans, "delete", delete)
    delay = mock.create_autospec(tasks.run_operation.delay)
    monkeypatch.setattr(tasks.run_operation, "delay", delay)
    form = {"thing": f"bucket:{NAME}", "known_as": NAME}
    for name in ("", "other"):
        admin_client.post(url(account, "delete"), form | {"name": name})
    delete.assert_not_called()
    with django_capture_on_commit_callbacks(execute=True):
        admin_client.post(url(account, "delete"), form | {"name": NAME})
    delete.assert_called_once_with(account, [f"bucket:{NAME}"], [NAME], admin_user)
    delay.assert_called_once_with(operation.pk)


def test_a_refusal_is_said_on_the_page(admin_client, account, monkeypatch):
    adopt = mock.create_autospec(orphans.adopt, side_effect=Refused("It is not there any more."))
    monkeypatch.setattr(orphans, "adopt", adopt)
    form = {"thing": f"bucket:{NAME}", "known_as": NAME}
    content = admin_client.post(url(account, "adopt"), form).content.decode()
    assert "It is not there any more." in content
