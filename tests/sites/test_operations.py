"""From request to outcome, with the engine's answers given."""

from __future__ import annotations

import contextlib
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta
from functools import partial

import pytest
from django.db import connection, transaction
from django.utils import timezone

from cloudadmin.aws import ClientError
from sites import operations, provisioning
from sites.models import Account, Operation, Resource, Site
from sites.operations import OperationRefused
from tests.fakes import Killed
from tests.localcloud.conftest import eventually

pytestmark = pytest.mark.django_db

Kind, Status = Operation.Kind, Operation.Status


@pytest.fixture
def site() -> Site:
    account = Account.objects.create(name="local", aws_account_id="000000000000")
    return Site.objects.create(account=account, name="blog")


@pytest.fixture
def engine(monkeypatch):
    """Answers of the engine, one a pass."""

    def answers(*outcomes):
        left = iter(outcomes)

        def answer(operation):
            outcome = next(left)
            if isinstance(outcome, Exception):
                raise outcome
            return outcome

        monkeypatch.setattr(operations, "_pass", answer)

    return answers


def waiting() -> provisioning.Waiting:
    now = timezone.now()
    return provisioning.Waiting(
        (provisioning.Wait("certificate", "DNS", now, now + timedelta(seconds=5)),)
    )


def failed(code: str, status: int) -> provisioning.Failed:
    error = ClientError(
        {
            "Error": {"Code": code, "Message": "no"},
            "ResponseMetadata": {"HTTPStatusCode": status},  # type: ignore[typeddict-item]
        },
        "CreateBucket",
    )
    return provisioning.Failed(provisioning.ResourceFailed("bucket", "create", error))


def test_a_finished_pass_makes_the_site_live(site, engine):
    engine(provisioning.Done())
    operation = operations.request(site, Kind.PROVISION)

    assert operations.run(operation.pk) is None
    operation.refresh_from_db()
    site.refresh_from_db()
    assert operation.status == Status.SUCCESS
    assert site.state == Site.State.LIVE


def test_a_wait_says_when_to_look_again_and_lets_go(site, engine):
    engine(waiting())
    operation = operations.request(site, Kind.PROVISION)

    pause = operations.run(operation.pk)
    operation.refresh_from_db()
    assert pause == pytest.approx(5, abs=1)
    assert operation.status == Status.IN_PROGRESS
    assert not operation.is_held
    assert operation.waits[0]["why"] == "DNS"
    assert operations.due() == []


def test_a_site_is_live_while_only_its_certificate_is_waited_for(site, engine):
    engine(waiting())
    for logical_id in operations.SERVING:
        Resource.objects.create(
            account=site.account, site=site, logical_id=logical_id, is_ready=True
        )
    operations.run(operations.request(site, Kind.PROVISION).pk)

    site.refresh_from_db()
    assert site.state == Site.State.LIVE


def test_a_refusal_of_aws_ends_it_with_the_reason(site, engine):
    engine(failed("AccessDenied", 403))
    operation = operations.request(site, Kind.PROVISION)

    assert operations.run(operation.pk) is None
    operation.refresh_from_db()
    site.refresh_from_db()
    assert operation.status == Status.FAILURE
    assert "AccessDenied" in operation.error_message
    assert site.state == Site.State.FAILED


def test_a_passing_fault_is_tried_again_five_times_at_most(site, engine):
    engine(*[failed("ServiceUnavailable", 503)] * 9)
    operation = operations.request(site, Kind.PROVISION)
    pauses = []
    while (pause := operations.run(operation.pk)) is not None:
        pauses.append(pause)

    operation.refresh_from_db()
    assert pauses == [5, 10, 20, 40]
    assert operation.status == Status.NEEDS_ATTENTION


def test_a_mistake_of_ours_is_told_without_its_traceback(site, engine, caplog):
    engine(KeyError("secret detail"))
    operation = operations.request(site, Kind.PROVISION)

    assert operations.run(operation.pk) == 5
    operation.refresh_from_db()
    assert "secret detail" not in operation.error_message
    assert "secret detail" in caplog.text


def test_a_second_delivery_of_the_same_task_does_nothing(site, engine):
    engine(provisioning.Done())
    operation = operations.request(site, Kind.PROVISION)
    operations.run(operation.pk)

    assert operations.run(operation.pk) is None


def test_a_waiting_operation_is_superseded(site, engine):
    engine(waiting())
    first = operations.request(site, Kind.PROVISION)
    operations.run(first.pk)
    second = operations.request(site, Kind.DESTROY)

    first.refresh_from_db()
    assert first.status == Status.INACTIVE
    assert second.status == Status.QUEUED


def test_a_site_that_is_worked_on_refuses_another_operation(site):
    operations.request(site, Kind.PROVISION).claim()

    with pytest.raises(OperationRefused) as refusal:
        operations.request(site, Kind.DESTROY)
    assert refusal.value.try_again
    assert Operation.objects.count() == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("outcome", [provisioning.Done(), failed("AccessDenied", 403)])
def test_who_changes_a_site_that_a_worker_is_ending_with_is_no_deadlock(site, engine, outcome):
    engine(outcome)
    operation = operations.request(site, Kind.PROVISION)

    def work() -> None:
        with contextlib.closing(connection):
            operations.run(operation.pk)

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            Site.objects.select_for_update(no_key=True).get(pk=site.pk)
            worker = pool.submit(work)
            eventually(partial(waits_for_us, worker))
            with pytest.raises(OperationRefused, match="worked on right now") as refusal:
                operations.request(site, Kind.PROVISION)
        worker.result()

    assert refusal.value.try_again
    operation.refresh_from_db()
    assert operation.status in (Status.SUCCESS, Status.FAILURE)


def waits_for_us(worker: Future[None]) -> bool:
    if worker.done():
        worker.result()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT 1 FROM pg_locks "
            "WHERE NOT granted AND pg_backend_pid() = ANY (pg_blocking_pids(pid))"
        )
        return cursor.fetchone() is not None


def test_a_destroyed_site_is_gone_and_its_operation_stays(site, engine):
    engine(provisioning.Done())
    operation = operations.request(site, Kind.DESTROY)
    operations.run(operation.pk)

    operation.refresh_from_db()
    assert not Site.objects.exists()
    assert operation.status == Status.SUCCESS
    assert operation.site_name == "blog"


def test_a_destroy_is_not_superseded_by_who_read_the_site_before(site):
    stale = Site.objects.get(pk=site.pk)
    destroy = operations.request(site, Kind.DESTROY)

    with pytest.raises(OperationRefused, match="being destroyed"):
        operations.request(stale, Kind.PROVISION)
    assert Operation.objects.get() == destroy
    destroy.refresh_from_db()
    assert destroy.status == Status.QUEUED
    stale.refresh_from_db()
    assert stale.state == site.state == Site.State.DESTROYING


def test_who_asks_for_a_site_that_is_gone_is_told(site):
    stale = Site.objects.get(pk=site.pk)
    site.delete()
    with pytest.raises(OperationRefused, match="is gone"):
        operations.request(stale, Kind.PROVISION)
    assert not Operation.objects.exists()


def test_who_lost_the_lease_does_not_tell_how_it_ended(site, monkeypatch):
    def taken_over(operation):
        Operation.objects.update(fence=operation.fence + 1)
        raise failed("AccessDenied", 403).error

    monkeypatch.setattr(operations, "_pass", taken_over)
    operation = operations.request(site, Kind.PROVISION)
    assert operations.run(operation.pk) is None
    operation.refresh_from_db()
    assert operation.status == Status.IN_PROGRESS


def test_what_is_refused_is_never_told_to_have_failed(site, engine, monkeypatch):
    """One commit: a worker that is killed in the middle leaves neither."""
    engine(provisioning.PlanChanged("not the plan that was shown"))
    operation = operations.request(site, Kind.PROVISION)
    fail = operations._fail

    def killed(*arguments):
        fail(*arguments)
        raise Killed

    monkeypatch.setattr(operations, "_fail", killed)
    with pytest.raises(Killed):
        operations.run(operation.pk)
    site.refresh_from_db()
    assert site.state == Site.State.PROVISIONING


def test_what_a_dead_worker_held_is_due(site):
    operation = operations.request(site, Kind.PROVISION)
    operation.claim(status=Status.IN_PROGRESS)
    assert operations.due() == []

    Operation.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    assert operations.due() == [operation.pk]


def test_a_plan_that_cannot_be_read_is_tried_again(site, engine):
    engine(failed("ServiceUnavailable", 503).error)
    operation = operations.request(site, Kind.PROVISION)

    assert operations.run(operation.pk) == 5
    operation.refresh_from_db()
    assert "ServiceUnavailable" in operation.error_message


def test_a_pass_that_gets_on_forgives_the_faults_before_it(site, engine):
    engine(failed("ServiceUnavailable", 503), waiting())
    operation = operations.request(site, Kind.PROVISION)
    operations.run(operation.pk)
    operations.run(operation.pk)

    operation.refresh_from_db()
    assert operation.attempts == 0
    assert operation.error_message == ""


def test_an_operation_that_kills_its_workers_is_stopped(site):
    operation = operations.request(site, Kind.PROVISION)
    for _ in range(operations.MAX_ATTEMPTS):
        assert Operation.objects.get().claim(status=Status.IN_PROGRESS)
        Operation.objects.update(lease_until=timezone.now() - timedelta(seconds=1))

    assert operations.run(operation.pk) is None
    operation.refresh_from_db()
    assert operation.status == Status.NEEDS_ATTENTION
    assert "died" in operation.error_message
