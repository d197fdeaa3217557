"""One worker at a time, and a dead one is replaced."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from sites.models import Account, Operation, Site
from sites.models.lease import LeaseLost

pytestmark = pytest.mark.django_db


@pytest.fixture
def operation() -> Operation:
    account = Account.objects.create(name="local", aws_account_id="000000000000")
    site = Site.objects.create(account=account, name="blog")
    return Operation.objects.create(site=site, site_name=site.name, kind=Operation.Kind.PROVISION)


def same_row(operation: Operation) -> Operation:
    """The row as another worker reads it."""
    return Operation.objects.get(pk=operation.pk)


def expire(operation: Operation) -> None:
    Operation.objects.filter(pk=operation.pk).update(
        lease_until=timezone.now() - timedelta(seconds=1)
    )


def test_only_one_of_two_workers_gets_the_row(operation):
    other = same_row(operation)

    assert operation.claim()
    assert not other.claim()


def test_a_released_row_can_be_claimed_again(operation):
    operation.claim()
    operation.release()

    assert same_row(operation).claim()
    assert same_row(operation).attempts == 0


def test_a_dead_holder_is_replaced_and_counted(operation):
    operation.claim()
    expire(operation)
    successor = same_row(operation)

    assert successor.claim()
    assert successor.attempts == 1
    assert successor.fence > operation.fence


def test_who_was_taken_for_dead_cannot_write(operation):
    operation.claim()
    expire(operation)
    same_row(operation).claim()

    with pytest.raises(LeaseLost):
        operation.write(error_message="I am still here")
    assert same_row(operation).error_message == ""


def test_what_was_let_go_is_not_held_again_by_a_late_beat(operation):
    operation.claim()
    assert operation.renew()
    operation.release()

    assert not operation.renew()
    assert same_row(operation).lease_until is None


def test_who_read_the_row_before_it_was_let_go_cannot_hold_it_again(operation):
    operation.claim()
    late = same_row(operation)
    operation.release()

    with pytest.raises(LeaseLost):
        late.write(lease_until=timezone.now() + timedelta(hours=1))
    assert same_row(operation).lease_until is None


@pytest.mark.django_db(transaction=True)
def test_a_heartbeat_renews_the_lease(operation, monkeypatch):
    monkeypatch.setattr("sites.models.lease.HEARTBEAT_SECONDS", 0.01)
    operation.claim()
    expire(operation)
    with operation.heartbeat():
        deadline = timezone.now() + timedelta(seconds=60)
        while not same_row(operation).is_held:
            assert timezone.now() < deadline
