"""A site made step by step: one change for each word, and none without."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from sites import by_hand, operations, provisioning
from sites.errors import Refused
from sites.models import Operation, Site
from tests.factories import OperationFactory, SiteFactory
from tests.sites.cloud import run

pytestmark = pytest.mark.django_db

Status = Operation.Status


def waits(*told: tuple[str, str]) -> list[dict[str, str]]:
    now = timezone.now()
    return [
        provisioning.Wait(what, "", now, now + timedelta(minutes=9), asks=asks).as_json()
        for what, asks in told
    ]


def by_hand_operation(*told: tuple[str, str]) -> Operation:
    return OperationFactory(
        by_hand=True,
        status=Status.IN_PROGRESS,
        waits=waits(*told),
        next_check_at=timezone.now() + timedelta(minutes=9),
    )


def test_a_site_is_made_step_by_step(account):
    site = SiteFactory(account=account, has_counter=False)
    operation = operations.request(site, Operation.Kind.PROVISION, by_hand=True)
    steps: list[by_hand.Next] = []
    for _ in range(30):
        operations.run(operation.pk)
        operation.refresh_from_db()
        following = by_hand.next_of(operation)
        if following is None:
            continue
        made = site.resources.count() + account.resources.filter(site=None).count()
        assert made == len({step.logical_id for step in steps})
        steps.append(following)
        by_hand.ask(operation, following.logical_id)
        with pytest.raises(Refused, match="under way"):
            by_hand.ask(operation, following.logical_id)
        if following.logical_id == "key_value_store":
            by_hand.let_go(operation)
            break
    run(operation)
    site.refresh_from_db()
    assert (operation.status, site.state) == (Status.SUCCESS, Site.State.LIVE)
    assert [step.type for step in steps] == [
        *("origin_access_control", "origin_request_policy", "response_headers_policy"),
        *("bucket", "key_value_store"),
    ]


def test_what_is_not_next_cannot_be_asked_for():
    operation = by_hand_operation(("bucket", "create"), ("certificate", ""))
    for name in ("certificate", "distribution", ""):
        with pytest.raises(Refused, match="what is next now"):
            by_hand.ask(operation, name)
    by_hand.ask(operation, "bucket")
    operation.refresh_from_db()
    assert (operation.chosen, operation.next_check_at) == ("bucket", None)
    assert by_hand.next_of(operation) is None


def test_a_step_asked_for_during_a_look_is_done_right_after_it(monkeypatch):
    operation = by_hand_operation(("bucket", "create"))

    def look(running):
        by_hand.ask(Operation.objects.get(pk=running.pk), "bucket")
        now = timezone.now()
        wait = provisioning.Wait("bucket", "", now, now + timedelta(minutes=9), asks="create")
        return provisioning.Waiting((wait,))

    monkeypatch.setattr(operations, "_pass", look)
    assert operations.run(operation.pk) == 0
    operation.refresh_from_db()
    assert (operation.chosen, operation.next_check_at) == ("bucket", None)


def test_what_has_ended_cannot_be_let_go():
    operation = by_hand_operation()
    Operation.objects.update(status=Status.SUCCESS)
    with pytest.raises(Refused, match="nothing left"):
        by_hand.let_go(operation)
