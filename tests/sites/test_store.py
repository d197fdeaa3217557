"""What a row remembers for the engine: what a person left, and what a plan deletes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from sites import drift, provisioning
from sites.models import Operation, Resource
from sites.provisioning.drift import Drift
from sites.provisioning.resources import TYPES
from sites.provisioning.steps import Stack, Step
from sites.store import RowStore
from tests.factories import OperationFactory, ResourceFactory
from tests.fakes import FakeCloud, FakeResource, Killed

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 1, 1, tzinfo=UTC)
FAKE = FakeResource("a")
STACK = Stack((Step("a", lambda s: FAKE),), {})


@pytest.fixture
def row(monkeypatch: pytest.MonkeyPatch) -> Resource:
    """A fake thing whose size is known to have become 7."""
    monkeypatch.setitem(TYPES, "fake", FakeResource)
    return ResourceFactory(
        logical_id="a",
        type="fake",
        inputs=FAKE.inputs(),
        physical_id="id-a",
        properties=FAKE.desired(),
        drift=[Drift("a", "fake", "a", "size", 1, 7).as_json()],
    )


def store_of(row: Resource, operation: Operation | None = None) -> RowStore:
    return RowStore(operation, row.account, row.site)


def leave_all(row: Resource) -> Operation:
    """A restore of nothing."""
    assert row.site
    return drift.restore(row.site, "", only=[])


def test_what_was_left_is_left_for_as_long_as_its_operation_goes_on(row: Resource):
    operation = leave_all(row)
    assert store_of(row).records()["a"].left == {"size"}
    Operation.objects.filter(pk=operation.pk).update(status=Operation.Status.FAILURE)
    assert store_of(row).records()["a"].left == set()


def test_what_was_left_stays_though_the_pass_is_killed(
    row: Resource, monkeypatch: pytest.MonkeyPatch
):
    operation = leave_all(row)
    operation.claim()
    store = store_of(row, operation)
    cloud: Any = FakeCloud({"a": {"name": "a", "size": 7, "color": "red", "age": 0}})

    def killed(*_: object, **__: object) -> None:
        raise Killed

    for method in ("record", "hold"):
        with monkeypatch.context() as patched:
            patched.setattr(store, method, killed)
            with pytest.raises(Killed):
                provisioning.advance(STACK, cloud, store, now=NOW)
    for _ in range(2):
        assert provisioning.advance(STACK, cloud, store, now=NOW) == provisioning.Done()
    assert cloud.calls == []
    (event,) = operation.events.all()
    assert event.message == "Left as it is on AWS: fake a: size is 7, was 1."


def test_only_what_the_plan_of_the_operation_deletes_may_go(row: Resource):
    def may_go(kind: str, *changes: dict[str, str]) -> bool:
        operation = OperationFactory.build(site=row.site, kind=kind, plan={"changes": changes})
        operation.created_at = NOW
        return store_of(row, operation).records()["a"].may_go

    assert may_go(Operation.Kind.DESTROY)
    assert may_go(Operation.Kind.PROVISION, {"action": "delete", "logical_id": "a"})
    assert not may_go(Operation.Kind.PROVISION, {"action": "update", "logical_id": "a"})
    assert not may_go(Operation.Kind.PROVISION)
