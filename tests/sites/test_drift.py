"""Real changes behind our back on the emulator: found, told, put right, or accepted."""

from __future__ import annotations

import json
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.core.management import CommandError, call_command
from django.utils import timezone

from cloudadmin import embedded
from cloudadmin.aws import Clients
from sites import drift, drift_checks, operations, stacks, tasks
from sites.drift import DriftRefused, Found
from sites.errors import Refused
from sites.models import Account, Operation, Resource, Site
from tests.factories import AccountFactory, OperationFactory, SiteFactory, UserFactory
from tests.sites import cloud
from tests.sites.provisioning.conftest import package

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _on_emulator(on_emulator: None) -> None:
    """Whatever the account."""


def provision(site: Site) -> None:
    run(operations.request(site, Operation.Kind.PROVISION))


def run(operation: Operation) -> None:
    """To a good end."""
    assert cloud.run(operation).status == Operation.Status.SUCCESS, operation.error_message


@pytest.fixture
def site(account: Account) -> Site:
    return cloud.live_site(account)


def row(site: Site, logical_id: str) -> Resource:
    return Resource.objects.get(site=site, logical_id=logical_id)


def open_bucket(site: Site, aws: Clients) -> None:
    aws.s3.delete_public_access_block(Bucket=row(site, "bucket").physical_id)


def is_open(site: Site, aws: Clients) -> bool:
    try:
        aws.s3.get_public_access_block(Bucket=row(site, "bucket").physical_id)
    except aws.s3.exceptions.ClientError:
        return True
    return False


def edit_distribution(site: Site, aws: Clients, **values: Any) -> None:
    id_ = row(site, "distribution").physical_id
    now: Any = aws.cloudfront.get_distribution_config(Id=id_)
    aws.cloudfront.update_distribution(
        Id=id_, IfMatch=now["ETag"], DistributionConfig=now["DistributionConfig"] | values
    )


def distribution(site: Site, aws: Clients) -> Any:
    id_ = row(site, "distribution").physical_id
    return aws.cloudfront.get_distribution_config(Id=id_)["DistributionConfig"]


def check(site: Site, *, deep: bool = True) -> list[Found]:
    assert drift_checks.check(site, deep=deep) == []
    return drift.of_site(site)


def check_drift(*arguments: str) -> tuple[int, str]:
    """Exit code and output of the command."""
    out = StringIO()
    try:
        call_command("check_drift", *arguments, stdout=out, stderr=out, no_color=True)
    except CommandError as error:
        return error.returncode, f"{out.getvalue()}{error}"
    return 0, out.getvalue()


def test_a_site_as_it_was_made_has_not_drifted(site: Site):
    assert check(site) == []
    assert check(site, deep=False) == []
    assert check_drift(site.name, "--deep") == (0, "")


def test_security_is_told_first_and_in_words(site: Site, aws: Clients):
    edit_distribution(site, aws, Enabled=False, HttpVersion="http2")
    open_bucket(site, aws)
    found = check(site)
    assert [each.key for each in found] == [
        ("bucket", "PublicAccessBlock"),
        ("distribution", "Enabled"),
        ("distribution", "HttpVersion"),
    ]
    assert "can be opened to everybody" in found[0].sentence
    assert "visitors get no answer" in found[1].sentence
    assert found[2].sentence.endswith("HttpVersion is http2, was http2and3.")


def test_the_plan_shows_it_and_restoring_puts_it_right(site: Site, aws: Clients):
    open_bucket(site, aws)
    check(site)
    plan = drift.restore_plan(site)
    assert "(changed on AWS)" in plan.as_text()
    run(drift.restore(site, plan.checksum))
    assert not is_open(site, aws)
    assert check(site) == []


def test_one_is_restored_and_the_other_stays_drift(site: Site, aws: Clients):
    open_bucket(site, aws)
    edit_distribution(site, aws, HttpVersion="http2")
    bucket, _ = check(site)
    plan = drift.restore_plan(site, [bucket])
    assert [change.logical_id for change in plan.effective] == ["bucket"]
    run(drift.restore(site, plan.checksum, only=[bucket]))
    assert not is_open(site, aws)
    assert distribution(site, aws)["HttpVersion"] == "http2"
    assert [each.key for each in check(site)] == [("distribution", "HttpVersion")]
    assert [change.logical_id for change in operations.plan(site).effective] == ["distribution"]


def test_a_restore_is_not_another_than_was_shown(site: Site, aws: Clients):
    open_bucket(site, aws)
    plan = drift.restore_plan(site)
    edit_distribution(site, aws, HttpVersion="http2")
    operation = drift.restore(site, plan.checksum)
    operations.run(operation.pk)
    operation.refresh_from_db()
    assert operation.status == Operation.Status.FAILURE
    assert "changed since this plan was shown" in operation.error_message
    assert is_open(site, aws)


def test_accepted_it_is_no_change_and_stays_when_something_else_changes(site: Site, aws: Clients):
    alice = UserFactory(username="alice")
    edit_distribution(site, aws, HttpVersion="http2")
    (found,) = check(site)
    found.accept(alice)
    assert drift.of_site(site) == []
    assert operations.plan(site).summary.startswith("No changes.")
    assert check(site) == []

    site.price_class = Site.PriceClass.PRICE_CLASS_ALL
    site.save()
    provision(site)
    assert distribution(site, aws)["PriceClass"] == "PriceClass_All"
    assert distribution(site, aws)["HttpVersion"] == "http2"
    assert check(site) == []
    said = LogEntry.objects.get(user=alice)
    assert "accepted what AWS has" in said.change_message
    told = Operation.objects.filter(site=site).last()
    assert told is not None
    assert told.events.filter(message__startswith="alice accepted").exists()


def test_what_was_accepted_can_be_taken_back(site: Site, aws: Clients):
    edit_distribution(site, aws, HttpVersion="http2")
    (found,) = check(site)
    found.accept()
    drift.unaccept(found.resource, ["HttpVersion"])
    assert [each.key for each in drift.of_site(site)] == [("distribution", "HttpVersion")]
    assert [each.key for each in check(site)] == [("distribution", "HttpVersion")]
    run(drift.restore(site, drift.restore_plan(site).checksum))
    assert distribution(site, aws)["HttpVersion"] == "http2and3"
    with pytest.raises(DriftRefused, match="is not accepted; nothing is"):
        drift.unaccept(found.resource, ["HttpVersion"])


def test_accepting_a_setting_changes_the_setting(site: Site, aws: Clients):
    edit_distribution(site, aws, PriceClass="PriceClass_All")
    (found,) = check(site)
    found.accept()
    site.refresh_from_db()
    assert site.price_class == "PriceClass_All"
    assert row(site, "distribution").accepted == {}
    assert operations.plan(site).summary.startswith("No changes.")
    assert check(site) == []


def test_a_setting_that_is_not_applied_yet_is_no_drift(site: Site):
    site.price_class = Site.PriceClass.PRICE_CLASS_ALL
    site.save()
    assert check(site) == []
    (update,) = operations.plan(site).effective
    assert update.drifted == ()


def test_what_is_gone_is_only_restored(site: Site, aws: Clients):
    aws.s3.delete_bucket(Bucket=row(site, "bucket").physical_id)
    found = {each.key: each for each in check(site, deep=False)}
    assert [*found] == [("bucket", "")]
    assert "Its data went with it" in found["bucket", ""].sentence
    with pytest.raises(DriftRefused, match="cannot be accepted"):
        found["bucket", ""].accept()
    plan = drift.restore_plan(site)
    assert "(gone from AWS)" in plan.as_text()
    run(drift.restore(site, plan.checksum))
    assert check(site) == []


def test_what_changes_while_an_operation_runs_is_left_and_told(site: Site, aws: Clients):
    operation = operations.request(site, Operation.Kind.PROVISION)
    # Its first pass has been: it waits, for a certificate perhaps.
    Operation.objects.filter(pk=operation.pk).update(created_at=timezone.now() - timedelta(hours=1))
    Resource.objects.filter(site=site).update(read_at=timezone.now())
    open_bucket(site, aws)
    with pytest.raises(Refused, match="at work"):
        drift_checks.check(site)
    with pytest.raises(DriftRefused, match="at work"):
        drift.accept(row(site, "bucket"), ["PublicAccessBlock"])
    run(operation)
    assert is_open(site, aws)
    told = [each.message for each in operation.events.all()]
    assert len([line for line in told if line.startswith("Left as it is on AWS: bucket")]) == 1
    assert [each.key for each in drift.of_site(site)] == [("bucket", "PublicAccessBlock")]
    assert [each.key for each in check(site)] == [("bucket", "PublicAccessBlock")]


def test_shared_things_are_told_at_the_site_and_restored_from_there(site: Site, aws: Clients):
    shared = Resource.objects.get(account=site.account, logical_id="origin_access_control.s3")
    now: Any = aws.cloudfront.get_origin_access_control(Id=shared.physical_id)
    config = now["OriginAccessControl"]["OriginAccessControlConfig"] | {"SigningBehavior": "never"}
    aws.cloudfront.update_origin_access_control(
        Id=shared.physical_id, IfMatch=now["ETag"], OriginAccessControlConfig=config
    )
    (found,) = check(site, deep=False)
    assert found.is_shared
    assert found.is_security
    run(drift.restore(site, drift.restore_plan(site).checksum))
    assert check(site) == []


def test_the_counter_with_more_memory(
    account: Account, aws: Clients, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setattr(stacks, "counter_package", lambda: package(tmp_path))
    site = cloud.live_site(account, has_counter=True)
    name = row(site, "lambda_function").physical_id
    aws.lambda_.update_function_configuration(FunctionName=name, MemorySize=1024)
    aws.lambda_.add_permission(
        FunctionName=name, StatementId="all", Action="lambda:InvokeFunction", Principal="*"
    )
    public, memory = check(site)
    assert (public.key, public.drift.actual) == (("function_url", "PublicStatements"), ["all"])
    assert "made anew" in public.fixed
    memory.accept()
    run(drift.restore(site, drift.restore_plan(site).checksum))
    assert check(site) == []
    config = aws.lambda_.get_function_configuration(FunctionName=name)
    assert config["MemorySize"] == 1024


def test_the_command(site: Site, aws: Clients, monkeypatch: pytest.MonkeyPatch):
    enqueued: list[int] = []
    monkeypatch.setattr(tasks.run_operation, "delay", enqueued.append)
    open_bucket(site, aws)
    edit_distribution(site, aws, HttpVersion="http2")
    code, text = check_drift(site.name, "--deep")
    assert code == 1
    assert f"{site.name}: security bucket " in text
    assert f"`manage.py check_drift {site.name} --accept distribution HttpVersion`" in text
    assert text.endswith("2 changed on AWS.")

    code, text = check_drift(site.name, "--json")
    told, _ = json.JSONDecoder().raw_decode(text)
    assert code == 1
    assert [each["path"] for each in told["sites"][site.name]] == [
        "PublicAccessBlock",
        "HttpVersion",
    ]
    code, _ = check_drift(site.name, "--accept", "distribution", "HttpVersion")
    assert code == 1
    code, text = check_drift(site.name, "--restore")
    assert code == 0
    assert "(changed on AWS)" in text
    operations.run(enqueued[0])
    assert check_drift(site.name, "--deep") == (0, "")
    assert check_drift("--deep") == (0, "")
    assert check_drift() == (0, "")


def test_the_command_when_it_is_misused_or_aws_is_away(
    site: Site, settings: Any, sent_again_at_once: None
):
    assert check_drift("--restore")[0] == 2
    code, text = check_drift(site.name, "--accept", "pond", "Depth")
    assert (code, "has no pond" in text) == (1, True)
    code, text = check_drift(site.name, "--accept", "bucket", "Depth")
    assert (code, "none is known" in text) == (1, True)
    settings.AWS_ENDPOINT_URL = f"http://127.0.0.1:{embedded.free_port()}"
    assert check_drift(site.name, "--deep")[0] == 75
    assert check_drift()[0] == 75


def test_beat_looks_at_the_least_recently_looked_at_of_each_account():
    now = timezone.now()
    account, other = AccountFactory(), AccountFactory()
    ages = {"never": None, "old": 2, "older": 3, "fresh": 0}
    for name, days in ages.items():
        site = SiteFactory(account=account, live=True, serving=True, name=name)
        if days is not None:
            site.resources.update(drift_checked_at=now - timedelta(days=days))
    SiteFactory(account=other, live=True, serving=True, name="elsewhere")
    SiteFactory(account=other, name="draft")

    def names() -> set[str]:
        return set(Site.objects.filter(pk__in=drift_checks.due()).values_list("name", flat=True))

    assert names() == {"never", "elsewhere"}
    OperationFactory(site=Site.objects.get(name="elsewhere"))
    assert names() == {"never"}
    Site.objects.get(name="never").resources.update(drift_checked_at=now)
    assert names() == {"older"}


def test_beat_finds_drift_cheaply_and_deeply(site: Site, aws: Clients):
    edit_distribution(site, aws, HttpVersion="http2")
    open_bucket(site, aws)
    tasks.look_for_drift_of_account(site.account_id)
    assert [each.key for each in drift.of_site(site)] == [("distribution", "HttpVersion")]
    tasks.check_drift_of_site(site.pk)
    assert [each.key[0] for each in drift.of_site(site)] == ["bucket", "distribution"]
    assert drift_checks.due() == []
    assert drift_checks.accounts() == [site.account_id]
