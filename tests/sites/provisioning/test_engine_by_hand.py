"""Step by step: the engine makes what was asked for, and says what is next."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from sites import provisioning
from sites.provisioning import Done, Record, Waiting
from sites.provisioning.resources import TYPES
from sites.provisioning.steps import Stack, Step
from tests.fakes import FakeCloud, FakeResource, Killed, MemoryStore

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _fake_type(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(TYPES, "fake", FakeResource)


def fake(logical_id: str, *needs: str, **fields) -> Step:
    def build(s):
        for need in needs:
            s.ready(need)
        return FakeResource(logical_id, **fields)

    return Step(logical_id, build)


CHAIN = Stack((fake("a"), fake("b", "a", passes=1), fake("c", "b"), fake("d")), {})


def advance(cloud, store, only=""):
    return provisioning.advance(CHAIN, cloud, store, now=NOW, only=only)


def asked(outcome) -> list[tuple[str, str]]:
    return [(wait.what, wait.asks) for wait in outcome.waits]


def test_nothing_is_made_that_nobody_asked_for():
    cloud, store = FakeCloud(), MemoryStore()
    assert asked(advance(cloud, store)) == [("a", "create")]
    assert (cloud.calls, store.writes) == ([], [])


def test_each_step_makes_one_thing_and_tells_the_next():
    cloud, store = FakeCloud(), MemoryStore()
    told = []
    outcome = advance(cloud, store)
    while isinstance(outcome, Waiting):
        told.append(asked(outcome))
        outcome = advance(cloud, store, next((w.what for w in outcome.waits if w.asks), ""))
    assert outcome == Done()
    # While AWS is busy with b, d alone can be made.
    assert told == [
        [("a", "create")],
        [("b", "create")],
        [("b", ""), ("d", "create")],
        [("c", "create")],
    ]
    assert cloud.calls == ["create a", "create b", "create d", "create c"]


def test_what_is_not_possible_yet_is_not_made_when_asked_for():
    cloud, store = FakeCloud(), MemoryStore()
    assert asked(advance(cloud, store, "c")) == [("a", "create")]
    assert cloud.calls == []


@pytest.mark.parametrize("answer_is_lost", [False, True])
def test_what_was_begun_goes_on_without_being_asked_for_again(answer_is_lost):
    cloud, store = FakeCloud(fail_at=1, answer_is_lost=answer_is_lost), MemoryStore()
    with pytest.raises(Killed):
        advance(cloud, store, "a")
    assert asked(advance(cloud, store)) == [("b", "create")]
    assert [*cloud.things] == ["a"]


def test_changes_and_deletions_are_asked_for_too():
    cloud: Any = FakeCloud()
    store = MemoryStore()
    provisioning.advance(CHAIN, cloud, store, now=NOW)
    provisioning.advance(CHAIN, cloud, store, now=NOW)
    gone = FakeResource("old")
    gone.create(cloud)
    store.rows["old"] = Record("fake", gone.inputs(), "id-old")
    larger = Stack((*CHAIN.steps[:3], fake("d", size=2)), {})
    outcome = provisioning.advance(larger, cloud, store, now=NOW, only="")
    assert asked(outcome) == [("d", "update")]
    outcome = provisioning.advance(larger, cloud, store, now=NOW, only="d")
    assert asked(outcome) == [("old", "delete")]
    assert provisioning.advance(larger, cloud, store, now=NOW, only="old") == Done()
    assert "old" not in cloud.things
