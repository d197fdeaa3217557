"""Things without a row and rows without a thing, on the emulator."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from copy import deepcopy
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from cloudadmin.aws import Clients
from sites import operations, orphans
from sites.errors import Refused
from sites.models import Account, Operation, OperationEvent, Resource, Site
from sites.orphans import acts, look
from sites.provisioning import resources as r
from sites.provisioning.inventory import ownership
from sites.provisioning.resources.base import State
from sites.provisioning.resources.function import Function
from tests.factories import AccountFactory, OperationFactory
from tests.fakes import Killed
from tests.sites.cloud import live_site, remove, run

pytestmark = pytest.mark.django_db

Kind, Status = Operation.Kind, Operation.Status
OWN = ("bucket", "key_value_store", "function", "function.headers", "distribution")


@pytest.fixture(scope="module")
def standing() -> list[Any]:
    """The rows of an account with a live site, whose things stand until the last test."""
    return []


@pytest.fixture
def account(on_emulator: None, standing: list[Any]) -> Account:
    """The same for all tests: each has its rows anew, and leaves the things as they were."""
    if standing:
        for row in deepcopy(standing):
            type(row).objects.bulk_create([row])
    else:
        made: Account = AccountFactory(aws_account_id="000000000000")
        site = live_site(made)
        standing += [made, site, *Resource.objects.filter(account=made)]
    return Account.objects.get(pk=standing[0].pk)


@pytest.fixture
def site(account: Account) -> Site:
    return account.sites.get()


@pytest.fixture
def own(account: Account) -> Site:
    """A site whose things may change."""
    return live_site(account)


def ids(found: tuple[Any, ...], *, of: Site | None = None) -> set[str]:
    """Of one site, for other tests leave things on the emulator."""
    return {each.id for each in found if of is None or each.found.owner == of.short_uid}


def ids_of(site: Site, *logical_ids: str) -> set[str]:
    rows = site.resources.filter(logical_id__in=logical_ids)
    return {f"{row.type}:{row.physical_id}" for row in rows}


def unknown_to_rows(site: Site, *logical_ids: str) -> set[str]:
    """Our memory of them goes."""
    lost = ids_of(site, *logical_ids)
    site.resources.filter(logical_id__in=logical_ids).delete()
    return lost


def left_by_a_lost_site(account: Account) -> tuple[Site, set[str]]:
    site = live_site(account)
    lost = unknown_to_rows(site, *OWN)
    site.resources.all().delete()
    site.delete()
    return site, lost


def plant_strangers(aws: Clients) -> Iterator[tuple[Any, dict[str, str]]]:
    """Ten things of somebody else, some with names that look like ours: a read of each."""
    word, uid = uuid.uuid4().hex[:8], uuid.uuid4().hex[:12]
    for name in (f"photos-{word}", f"cloudadmin-{uid[:11]}", f"cloudadmin-{uid}"):
        aws.s3.create_bucket(Bucket=name)
        yield aws.s3.head_bucket, {"Bucket": name}
    for name in (f"/aws/lambda/{word}", f"/aws/lambda/cloudadmin-{word}"):
        aws.logs.create_log_group(logGroupName=name)
        yield aws.logs.list_tags_log_group, {"logGroupName": name}
    for name, path in ((f"ops-{word}", "/cloudadmin/"), (f"cloudadmin-{uid}", "/")):
        aws.iam.create_role(RoleName=name, Path=path, AssumeRolePolicyDocument="{}")
        yield aws.iam.get_role, {"RoleName": name}
    aws.cloudfront.create_key_value_store(Name=f"sessions-{word}")
    yield aws.cloudfront.describe_key_value_store, {"Name": f"sessions-{word}"}
    control = r.OriginAccessControl(f"theirs-{word}", "s3").create(aws)
    yield aws.cloudfront.get_origin_access_control, {"Id": control.physical_id}
    policy = r.ResponseHeadersPolicy(f"theirs-{word}").create(aws)
    yield aws.cloudfront.get_response_headers_policy, {"Id": policy.physical_id}


def test_orphans_are_told_apart_and_strangers_left_alone(account, aws, site):
    """10 strangers, 6 of ours without a row, 4 rows without a thing."""
    strangers = list(plant_strangers(aws))
    other = live_site(account)
    served = ("distribution", "function", "function.headers", "key_value_store")
    gone = ids_of(other, *served)
    remove(aws, other, *served)
    lost = unknown_to_rows(site, *OWN)
    control = account.resources.get(logical_id="origin_access_control.s3")
    lost.add(f"{control.type}:{control.physical_id}")
    control.delete()

    found = orphans.of_account(account)
    assert len(strangers) == 10
    assert ids(found.unknown) == lost
    assert ids(found.gone) == gone
    names = {name for _, read in strangers for name in read.values()}
    assert names.isdisjoint(each.found.physical_id for each in found.of_others)

    # What others are made of comes first.
    order = ("origin_access_control", "bucket", "key_value_store", "function", "distribution")
    for thing in sorted(lost, key=lambda thing: order.index(thing.partition(":")[0])):
        orphans.adopt(account, thing)
    for thing in gone:
        orphans.forget(account, thing)
    found = orphans.of_account(account)
    assert not ids(found.unknown)
    assert not ids(found.gone)
    assert operations.plan(site).summary.startswith("No changes")
    for read, arguments in strangers:
        read(**arguments)


def test_an_adopted_thing_has_the_row_that_it_had(account, site):
    before = site.resources.get(logical_id="bucket")
    (thing,) = unknown_to_rows(site, "bucket")
    row = orphans.adopt(account, thing)
    for field in ("type", "inputs", "physical_id", "properties", "attributes", "is_ready"):
        assert getattr(row, field) == getattr(before, field)
    event = OperationEvent.objects.get(operation__kind=Kind.ADOPT, operation__site=site)
    assert thing in event.message
    with pytest.raises(Refused, match="no such orphan"):
        orphans.adopt(account, thing)


def test_what_it_is_made_of_is_adopted_first(account, site):
    lost = unknown_to_rows(site, "function", "key_value_store")
    (function,) = (thing for thing in lost if thing.startswith("function:"))
    with pytest.raises(Refused, match="key_value_store, which has no row"):
        orphans.adopt(account, function)


def test_a_second_one_of_a_kind_has_no_place(account, aws, site):
    twin = r.Distribution.from_inputs(site.resources.get(type="distribution").inputs)
    made = twin._create(aws)
    (orphan,) = orphans.of_account(account).unknown
    assert orphan.found.physical_id == made
    assert orphan.can == ("delete",)
    with pytest.raises(Refused, match="No site has a place"):
        orphans.adopt(account, orphan.id)
    assert run(orphans.delete(account, [orphan.id])).status == Status.SUCCESS
    assert not orphans.of_account(account).unknown
    assert r.Distribution.from_inputs(twin.inputs()).read(aws) is not None


def test_what_an_operation_is_working_for_is_no_orphan(account, site):
    lost = unknown_to_rows(site, "bucket")
    operation = OperationFactory(site=site)
    assert not ids(orphans.of_account(account).unknown)
    operation.write(status=Status.SUCCESS)
    assert ids(orphans.of_account(account).unknown) == lost


def test_an_operation_that_begins_meanwhile_goes_first(account, site, monkeypatch):
    (thing,) = unknown_to_rows(site, "bucket")
    as_wanted = acts._as_wanted

    def begun(*arguments: Any) -> Any:
        OperationFactory(site=site)
        return as_wanted(*arguments)

    monkeypatch.setattr(acts, "_as_wanted", begun)
    with pytest.raises(Refused, match="worked on") as refusal:
        orphans.adopt(account, thing)
    assert refusal.value.try_again
    assert not site.resources.filter(logical_id="bucket").exists()


def test_a_thing_that_goes_while_it_is_looked_at_is_no_orphan(account, aws, own, monkeypatch):
    unknown_to_rows(own, "bucket")
    tags_of = ownership.tags_of

    def late(clients: Clients, found: Any) -> Any:
        if found.owner == own.short_uid:
            r.Bucket(found.name, found.region, {}).delete(aws, State(found.physical_id))
        return tags_of(clients, found)

    monkeypatch.setattr(look, "tags_of", late)
    assert not orphans.of_account(account).unknown


def test_an_intent_knows_its_thing(account, site):
    site.resources.filter(logical_id="bucket").update(physical_id="")
    assert not orphans.of_account(account).unknown


def test_a_thing_with_the_tags_of_another_is_not_adopted(account, aws, own):
    row = own.resources.get(logical_id="bucket")
    (thing,) = unknown_to_rows(own, "bucket")
    tags = [{"Key": "cloudadmin:site", "Value": str(uuid.uuid4())}]
    aws.s3.put_bucket_tagging(Bucket=row.physical_id, Tagging={"TagSet": tags})
    found = orphans.of_account(account)
    assert thing not in ids(found.unknown)
    assert thing in ids(found.of_others)
    with pytest.raises(Refused, match="No site has a place"):
        orphans.adopt(account, thing)


def test_a_half_made_one_without_tags_is_not_adopted(account, aws, own):
    (thing,) = unknown_to_rows(own, "bucket")
    aws.s3.delete_bucket_tagging(Bucket=thing.partition(":")[2])
    assert thing in ids(orphans.of_account(account).unknown)
    with pytest.raises(Refused, match="not ours"):
        orphans.adopt(account, thing)


def test_things_of_a_lost_site_go_only_by_their_names(account, aws):
    lost_site, lost = left_by_a_lost_site(account)
    found = orphans.of_account(account)
    assert ids(found.of_others, of=lost_site) == lost
    assert not found.unknown
    things = [each for each in found.of_others if each.id in lost]
    with pytest.raises(Refused, match="type its name"):
        orphans.delete(account, sorted(lost))
    (bucket,) = (each for each in things if each.found.type == "bucket")
    with pytest.raises(Refused, match="used by distribution"):
        orphans.delete(account, [bucket.id], [bucket.found.name])

    operation = orphans.delete(account, sorted(lost), {each.found.name for each in things})
    assert not ids(orphans.of_account(account).of_others) & lost
    assert run(operation).status == Status.SUCCESS
    order = [message.split()[1] for message in operation.events.values_list("message", flat=True)]
    assert order.index("distribution") < order.index("bucket")
    assert order.index("function") < order.index("key_value_store")
    assert not ids(orphans.of_account(account).of_others) & lost


def test_a_deletion_that_is_killed_goes_on(account, monkeypatch):
    lost_site, lost = left_by_a_lost_site(account)
    names = {each.found.name for each in orphans.of_account(account).of_others}
    operation = orphans.delete(account, sorted(lost), names)

    def killed(*_: Any) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(Function, "_delete", killed)
        with pytest.raises(Killed):
            run(operation)
    assert operation.events.exists()
    Operation.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    assert operations.due() == [operation.pk]
    assert run(operation).status == Status.SUCCESS
    assert not ids(orphans.of_account(account).of_others, of=lost_site)


def test_a_later_deletion_takes_the_rest_of_one_that_waits(account):
    _, lost = left_by_a_lost_site(account)
    names = {each.found.name for each in orphans.of_account(account).of_others}
    distribution = {thing for thing in lost if thing.startswith("distribution")}
    first = orphans.delete(account, sorted(distribution), names)
    second = orphans.delete(account, sorted(lost - distribution), names)
    first.refresh_from_db()
    assert first.status == Status.INACTIVE
    assert len(second.targets) == len(lost)
    assert run(second).status == Status.SUCCESS


def test_what_was_adopted_meanwhile_is_not_deleted(account, site):
    row = site.resources.get(logical_id="key_value_store")
    (thing,) = unknown_to_rows(site, "key_value_store")
    operation = orphans.delete(account, [thing])
    row.save(force_insert=True)
    assert run(operation).status == Status.SUCCESS
    (event,) = operation.events.all()
    assert "left alone" in event.message
    assert operations.plan(site).summary.startswith("No changes")


def test_what_is_about_to_be_made_is_not_deleted(account, site):
    row = site.resources.get(logical_id="key_value_store")
    (thing,) = unknown_to_rows(site, "key_value_store")
    operation = orphans.delete(account, [thing])
    row.physical_id = ""
    row.save(force_insert=True)
    assert run(operation).status == Status.SUCCESS
    assert "has an owner now" in operation.events.get().message


def test_what_is_of_a_site_that_is_worked_on_is_not_deleted(account, site):
    (thing,) = unknown_to_rows(site, "key_value_store")
    operation = orphans.delete(account, [thing])
    OperationFactory(site=site)
    assert run(operation).status == Status.SUCCESS
    assert "is being worked on" in operation.events.get().message


def test_no_site_takes_as_its_own_what_is_being_deleted(account, site):
    (bucket,) = unknown_to_rows(site, "bucket")
    (thing,) = unknown_to_rows(site, "key_value_store")
    operation = orphans.delete(account, [thing])
    for ask in (
        lambda: operations.request(site, Kind.PROVISION),
        lambda: orphans.adopt(account, bucket),
    ):
        with pytest.raises(Refused, match="being deleted") as refusal:
            ask()
        assert refusal.value.try_again
    operation.write(status=Status.FAILURE)
    assert orphans.adopt(account, bucket).logical_id == "bucket"
    assert operations.request(site, Kind.PROVISION).status == Status.QUEUED


def test_parts_are_forgotten_with_their_thing(account, aws, own):
    remove(aws, own, "bucket")
    (gone,) = orphans.of_account(account).gone
    assert orphans.forget(account, gone.id) == ["bucket", "bucket_policy"]
    assert not own.resources.filter(type__startswith="bucket").exists()
    assert OperationEvent.objects.filter(operation__kind=Kind.FORGET).count() == 2


def command(*arguments: str) -> str:
    out = StringIO()
    call_command("find_orphans", *arguments, stdout=out)
    return out.getvalue()


def test_the_command_lists_and_acts(account, aws, own):
    bucket = own.resources.get(logical_id="bucket").physical_id
    (thing,) = unknown_to_rows(own, "bucket")
    listed = json.loads(command("--json"))[account.name]["unknown"]
    assert [(each["id"], each["site"], each["can"]) for each in listed] == [
        (thing, own.name, ["adopt", "delete"])
    ]
    assert f"--name {bucket}" in command(account.name)
    assert "is bucket of" in command("--adopt", thing)

    unknown_to_rows(own, "key_value_store")
    with pytest.raises(CommandError, match="add --yes"):
        command("--delete", own.resources.get(logical_id="function").physical_id)
    remove(aws, own, "distribution")
    gone = next(iter(ids_of(own, "distribution")))
    assert f"! {gone}" in command(account.name)
    assert command("--forget", gone.partition(":")[2]) == "Forgot distribution.\n"


def test_the_command_deletes(account):
    _, lost = left_by_a_lost_site(account)
    function = min(thing for thing in lost if thing.startswith("function:"))
    out = command(account.name, "--delete", function, "--yes", "--name", function.partition(":")[2])
    assert out.endswith("Done.\n")


def test_an_id_that_fits_two_is_asked_back(account, site):
    unknown_to_rows(site, "function", "key_value_store")
    with pytest.raises(CommandError, match="say which"):
        command("--adopt", f"cloudadmin-{site.short_uid}")


def test_more_accounts_than_one_are_told_apart(account, site):
    twin = AccountFactory(aws_account_id=account.aws_account_id)
    lost = unknown_to_rows(site, "bucket")
    assert ids(orphans.of_account(account).unknown) == lost
    assert not orphans.of_account(twin).unknown
    assert not {each.found.owner for each in orphans.of_account(twin).of_others} & {site.short_uid}
    with pytest.raises(CommandError, match="Say which account"):
        command("--adopt", *lost)
    with pytest.raises(CommandError, match="no AWS account"):
        command("nobody")
    assert Resource.objects.filter(account=twin).count() == 0
