"""The page of an operation: its steps, the tries that failed, and how to try again."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.stub import Stubber
from django.test import Client
from django.urls import reverse

from cloudadmin.aws import Access, ClientError, Clients
from cloudadmin.calls import changes_since, noting_calls
from sites import operations, provisioning, tasks, tries
from sites.admin.support import HIDDEN, as_json
from sites.errors import Refused
from sites.models import Operation, OperationTry, Role
from sites.provisioning import ResourceFailed
from sites.retrying import retry
from tests.factories import (
    MembershipFactory,
    OperationEventFactory,
    OperationFactory,
    SiteFactory,
    UserFactory,
)

pytestmark = pytest.mark.django_db

XSS = "<script>alert(1)</script>"


def change(logical_id: str, **differences: Any) -> dict[str, Any]:
    return {
        "action": "create",
        "logical_id": logical_id,
        "type": logical_id,
        "label": f"shop-{logical_id}",
        "differences": differences,
        "drifted": [],
    }


def refusal(code: str = "AccessDenied", status: int = 403) -> ResourceFailed:
    answer: Any = {
        "Error": {"Code": code, "Message": f"No {XSS}\x1b[31m"},
        "ResponseMetadata": {"HTTPStatusCode": status, "RequestId": "R-42", "RetryAttempts": 4},
    }
    return ResourceFailed("distribution", "create", ClientError(answer, "CreateDistribution"))


def page(row: Operation, name: str = "change") -> str:
    return reverse(f"admin:sites_operation_{name}", args=[row.pk])


def read(client: Client, url: str) -> str:
    response = client.get(url)
    assert response.status_code == 200
    return response.content.decode()


def test_each_step_says_how_far_it_is_and_which_calls_made_it(admin_client):
    plan = {"summary": "", "changes": [change(n) for n in ("bucket", "certificate", "function")]}
    row = OperationFactory(
        status="in_progress", plan=plan, waits=[{"what": "certificate", "why": "Minutes"}]
    )
    calls = [{"call": "CreateBucket", "status": 200, "request_id": "R-1"}]
    OperationEventFactory(operation=row, logical_id="bucket", calls=calls)
    OperationEventFactory(operation=row, logical_id="certificate")
    content = read(admin_client, page(row))
    for said in ('<li class="done">', '<li class="waiting">', '<li class="now">', "R-1"):
        assert said in content
    assert "in_progress" in read(admin_client, page(row, "panel"))
    row.status = Operation.Status.FAILURE
    row.error_message = str(refusal())
    row.save()
    tries.note(row, ResourceFailed("function", "create", refusal().cause))
    content = read(admin_client, page(row))
    for said in ('<li class="failed">', "CreateDistribution, sent 5 times", "AccessDenied", "R-42"):
        assert said in content
    assert "What to try" in content
    assert "Give the account&#x27;s role the permission" in content
    assert XSS not in content
    assert "\x1b" not in content


def test_what_aws_answered_is_noted_for_the_step_and_for_the_failure():
    clients = Clients(Access(region="us-east-1", endpoint_url="http://127.0.0.1:1"))
    metadata = {"ResponseMetadata": {"RequestId": "R-7", "HTTPStatusCode": 200}}
    with Stubber(clients.s3) as stubber, noting_calls():
        stubber.add_response("list_buckets", {})
        stubber.add_response("create_bucket", metadata)
        clients.s3.list_buckets()
        clients.s3.create_bucket(Bucket="shop")
        made = [(each.call, each.request_id) for each in changes_since()]
        assert changes_since() == []
    assert made == [("CreateBucket", "R-7")]
    row = OperationFactory()
    for _ in range(tries.MOST + 2):
        tries.note(row, refusal("Throttling", 400))
    assert row.tries.count() == tries.MOST
    noted = OperationTry.objects.first()
    assert noted
    assert (noted.call, noted.error_code, noted.http_status, noted.request_id, noted.resent) == (
        *("CreateDistribution", "Throttling", 400, "R-42", 4),
    )
    assert not noted.is_permanent
    assert "\x1b" not in noted.said


def test_a_pass_leaves_a_try_for_each_failure(admin_client, monkeypatch):
    plan = {"summary": "", "changes": [change(n) for n in ("distribution", "function", "bucket")]}
    row = OperationFactory(plan=plan)
    other = ResourceFailed("function", "create", refusal("Throttling", 400).cause)
    failed = provisioning.Failed(refusal(), (other,))
    monkeypatch.setattr(operations, "_pass", lambda row: failed)
    assert operations.run(row.pk) is None
    assert [(each.logical_id, each.error_code) for each in row.tries.all()] == [
        ("distribution", "AccessDenied"),
        ("function", "Throttling"),
    ]
    assert read(admin_client, page(row)).count('<li class="failed">') == 2


def test_one_press_tries_again_and_only_when_nothing_else_runs(
    client, monkeypatch, django_capture_on_commit_callbacks
):
    woken: list[int] = []
    monkeypatch.setattr(tasks.run_operation, "delay", woken.append)
    site, operator, deployer = SiteFactory(), UserFactory(), UserFactory()
    MembershipFactory(user=operator, site=site, role=Role.OPERATOR)
    MembershipFactory(user=deployer, site=site, role=Role.DEPLOYER)
    row = OperationFactory(site=site, status="needs_attention", error_message="Denied.")
    again = page(row, "retry")
    client.force_login(deployer)
    assert 'id="retry"' not in read(client, page(row))
    assert client.post(again).status_code == 403
    client.force_login(operator)
    assert 'id="retry"' in read(client, page(row))
    assert client.get(again).status_code == 405
    with django_capture_on_commit_callbacks(execute=True):
        client.post(again)
    new = Operation.objects.latest("pk")
    assert (new.status, new.creator, woken) == ("queued", operator, [new.pk])
    assert "is under way" in read(client, page(row))
    said = client.post(again, follow=True).content.decode()
    assert "is under way already; nothing was asked for" in said
    assert Operation.objects.count() == 2
    forced = OperationFactory(site=site, status="failure", force=["bucket"])
    with pytest.raises(Refused, match="go to the page of the site"):
        retry(forced)
    client.force_login(MembershipFactory().user)
    assert client.get(page(row, "raw")).status_code == 404
    assert client.post(again).status_code == 404


def test_operations_are_found_by_who_asked(admin_client, admin_user):
    OperationFactory(site_name="bakery", creator=admin_user)
    OperationFactory(site_name="docs", creator=UserFactory(username="grace"))
    listed = reverse("admin:sites_operation_changelist")
    content = admin_client.get(listed, {"who": admin_user.pk}).content.decode()
    assert "Provision bakery" in content
    assert "Provision docs" not in content
    assert ">grace<" in content


def test_what_goes_to_support_has_no_secret(admin_client):
    plan = {
        "changes": [
            change(
                "function",
                **{
                    "Environment.DB_PASSWORD": [None, "hunter2"],
                    "Source": [None, f"https://ada:hunter2@host/{XSS}"],
                    "Key": [None, "AKIAABCDEFGHIJKLMNOP"],
                },
            )
        ]
    }
    row = OperationFactory(plan=plan, error_message="Denied.")
    OperationEventFactory(operation=row)
    tries.note(row, refusal())
    told = as_json(row)
    assert "hunter2" not in told
    assert "AKIAABCD" not in told
    assert HIDDEN in told
    assert json.loads(told)["tries"][0]["request_id"] == "R-42"
    assert XSS not in read(admin_client, page(row, "raw"))
