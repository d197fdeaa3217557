"""No line of history is lost, wherever the process ends; none is told twice."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest

from sites.provisioning import Stack, advance
from sites.provisioning.resources import TYPES
from sites.provisioning.steps import Step
from tests.fakes import FakeCloud, FakeResource, Killed, MemoryStore

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
def fakes_are_known(monkeypatch):
    monkeypatch.setitem(TYPES, "fake", FakeResource)


def stack(*resources: FakeResource) -> Stack:
    return Stack(tuple(Step(each.name, partial(_same, each)) for each in resources), {})


def _same(resource: FakeResource, _: object) -> FakeResource:
    return resource


@pytest.mark.parametrize("answer_is_lost", [False, True])
def test_a_create_that_nobody_saw_end_is_told_once(answer_is_lost: bool):
    cloud: Any = FakeCloud(fail_at=1, error=Killed(), answer_is_lost=answer_is_lost)
    store = MemoryStore()
    desired = stack(FakeResource("a"))
    with pytest.raises(Killed):
        advance(desired, cloud, store, now=NOW)
    assert store.events == []
    for _ in range(2):
        advance(desired, cloud, store, now=NOW)
    assert store.events == ["+ fake  a"]


@pytest.mark.parametrize("answer_is_lost", [False, True])
def test_a_delete_that_nobody_saw_end_is_told_once(answer_is_lost: bool):
    cloud: Any = FakeCloud()
    store = MemoryStore()
    advance(stack(FakeResource("a")), cloud, store, now=NOW)
    cloud.fail_at, cloud.error, cloud.answer_is_lost = 2, Killed(), answer_is_lost
    with pytest.raises(Killed):
        advance(stack(), cloud, store, now=NOW)
    for _ in range(2):
        advance(stack(), cloud, store, now=NOW)
    assert store.events == ["+ fake  a", "- fake  a"]


def test_what_is_adopted_or_was_never_made_is_no_news():
    cloud: Any = FakeCloud()
    made, unmade = MemoryStore(), MemoryStore()
    advance(stack(FakeResource("a")), cloud, made, now=NOW)
    advance(stack(FakeResource("a")), cloud, unmade, now=NOW)
    assert unmade.events == []
    unmade.intend("b", FakeResource("b"))
    advance(stack(FakeResource("a")), cloud, unmade, now=NOW)
    assert unmade.events == []
    assert "b" not in unmade.rows
