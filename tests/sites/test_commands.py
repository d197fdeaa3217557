"""What all commands do with what provisioning refuses."""

from __future__ import annotations

import json
from unittest import mock

import pytest
from django.core.management import CommandError, call_command

from cloudadmin.aws import ClientError
from sites import drift, farewell, operations
from sites.models import Account
from sites.provisioning.errors import ResourceFailed
from tests.factories import SiteFactory
from tests.sites.cloud import live_site

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("code", "returncode"), [("Throttling", 75), ("AccessDenied", 1)], ids=["transient", "for good"]
)
def test_a_restore_whose_plan_aws_refuses_is_told_in_a_sentence(monkeypatch, code, returncode):
    site = SiteFactory(live=True, serving=True)
    about = {"logical_id": "bucket", "type": "bucket", "label": site.name, "path": "Encryption"}
    site.resources.filter(logical_id="bucket").update(drift=[about])
    error = ResourceFailed("bucket", "read", ClientError({"Error": {"Code": code}}, "GetBucketAcl"))
    monkeypatch.setattr("sites.management.commands.check_drift.check", lambda *_, **__: [])
    monkeypatch.setattr(
        operations, "plan", mock.create_autospec(operations.plan, side_effect=error)
    )
    with pytest.raises(CommandError, match=f"AWS said {code}") as refusal:
        call_command("check_drift", site.name, "--restore")
    assert refusal.value.returncode == returncode
    assert drift.of_site(site)


def test_an_aws_that_does_not_tell_what_is_left(account: Account, monkeypatch, capsys):
    site = live_site(account)
    error = ClientError({"Error": {"Code": "Throttling"}}, "ListBuckets")
    monkeypatch.setattr(
        farewell, "still_there", mock.create_autospec(farewell.still_there, side_effect=error)
    )
    call_command("destroy_site", site.name, "--yes", "--json")
    said = capsys.readouterr()
    answer = json.loads(said.out)
    assert (answer["destroyed"], answer["still_there"]) == (True, None)
    assert "manage.py find_orphans" in said.err
