"""What is drift, what is not, and that nothing puts it right unseen."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sites import provisioning
from sites.provisioning.documents import at, placed, put
from sites.provisioning.drift import Drift, accepting, look, urgency
from sites.provisioning.plan import Plan
from sites.provisioning.resources import TYPES
from sites.provisioning.steps import Stack, Step
from tests.fakes import FakeCloud, FakeResource, MemoryStore

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _fake_type(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(TYPES, "fake", FakeResource)


class FakeWorld:
    """One fake thing, made and recorded."""

    def __init__(self) -> None:
        self.cloud, self.store = FakeCloud(), MemoryStore()
        self.advance()

    @property
    def thing(self) -> dict:
        return self.cloud.things["a"]

    def advance(self, **wanted: Any) -> None:
        outcome = provisioning.advance(self.stack(**wanted), self.client, self.store, now=NOW)
        assert outcome == provisioning.Done()

    def plan(self, **wanted: Any) -> Plan:
        return provisioning.plan(self.stack(**wanted), self.client, self.store)

    def stack(self, **wanted: Any) -> Stack:
        return Stack((Step("a", lambda s: FakeResource("a", **wanted)),), {})

    def look(self) -> tuple[Drift, ...]:
        return look("a", self.store.rows["a"], self.client)[1]

    def note(self, **values: Any) -> None:
        self.store.rows["a"] = replace(self.store.rows["a"], **values)

    @property
    def client(self) -> Any:
        return self.cloud


@pytest.fixture
def fake() -> FakeWorld:
    return FakeWorld()


def test_nothing_changed_is_no_drift(fake: FakeWorld):
    assert fake.look() == ()


def test_a_changed_field_is_told_with_both_values(fake: FakeWorld):
    fake.thing["size"] = 7
    (drift,) = fake.look()
    assert (drift.path, drift.recorded, drift.actual) == ("size", 1, 7)
    assert drift.sentence == "fake a: size is 7, was 1."
    assert not drift.is_security


def test_what_is_gone_cannot_be_accepted(fake: FakeWorld):
    del fake.cloud.things["a"]
    (drift,) = fake.look()
    assert drift.is_gone
    assert "Restore it" in drift.fixed
    assert drift.sentence == "fake a is gone from AWS."
    assert fake.plan().as_text().startswith("+ fake  a  (gone from AWS)\n")


def test_a_setting_not_yet_applied_is_no_drift(fake: FakeWorld):
    (update,) = fake.plan(size=9).effective
    assert update.differences == {"size": (1, 9)}
    assert update.drifted == ()
    assert fake.look() == ()


def test_what_aws_writes_in_its_own_way_is_no_drift(fake: FakeWorld):
    """It said so when it was recorded."""
    fake.note(properties=fake.store.rows["a"].properties | {"size": "1"})
    fake.thing["size"] = "1"
    assert fake.look() == ()


def test_a_plan_marks_what_was_changed_on_aws(fake: FakeWorld):
    fake.thing["size"] = 7
    plan = fake.plan()
    assert plan.as_text() == (
        "~ fake  a\n"
        "      size: 7 -> 1  (changed on AWS)\n"
        "Plan: 0 to add, 1 to change, 0 to destroy."
    )
    assert plan.as_json()["changes"][0]["drifted"] == ["size"]


def test_a_plan_that_would_put_shared_drift_right_has_another_checksum(fake: FakeWorld):
    before = Plan().after(fake.plan())
    fake.thing["size"] = 7
    assert Plan().after(fake.plan()).checksum != before.checksum


def test_what_a_plan_showed_is_put_right_and_written_into_the_history(fake: FakeWorld):
    fake.thing["size"] = 7
    fake.advance()
    assert fake.thing["size"] == 1
    assert "size: 7 -> 1  (changed on AWS)" in fake.store.events[-1]
    assert fake.look() == ()


def test_what_changes_while_an_operation_runs_is_left_and_told(fake: FakeWorld):
    fake.note(leaves_drift=True)
    fake.thing["size"] = 7
    for _ in range(2):
        fake.advance()
        assert fake.thing["size"] == 7
        assert fake.store.held["a"][0]["actual"] == 7
    (drift,) = fake.look()
    assert (drift.recorded, drift.actual) == (1, 7)


def test_what_is_left_stays_when_another_field_is_changed(fake: FakeWorld):
    fake.note(left=frozenset({"size"}))
    fake.thing["size"] = 7
    fake.thing["Tags"] = {"cloudadmin:site": "ours"}
    fake.thing["color"] = "red"
    assert fake.plan(passes=0).effective == ()
    fake.advance()
    assert fake.thing["size"] == 7


def test_a_setting_wins_over_what_is_left_and_the_line_says_so(fake: FakeWorld):
    fake.note(leaves_drift=True)
    fake.thing["size"] = 7
    fake.advance(size=9)
    assert fake.thing["size"] == 9
    assert "size: 7 -> 9  (changed on AWS)" in fake.store.events[-1]


def test_a_setting_that_changes_ends_what_was_accepted(fake: FakeWorld):
    fake.thing["size"] = 7
    fake.note(accepted={"size": 7})
    fake.advance()
    assert fake.store.rows["a"].accepted == {"size": 7}
    fake.advance(size=9)
    assert (fake.thing["size"], fake.store.rows["a"].accepted) == (9, {})
    fake.advance(size=1)
    assert fake.thing["size"] == 1


def test_a_drift_survives_json(fake: FakeWorld):
    fake.thing["size"] = 7
    (drift,) = fake.look()
    assert Drift.from_json(drift.as_json() | {"is_left": True}) == drift


def test_security_comes_first_then_what_stops_the_site():
    def drift(type_: str, path: str, actual: Any = None) -> Drift:
        return Drift("z", type_, "label", path, actual=actual)

    policy, off = (
        drift("bucket_policy", "Policy.Statement"),
        drift("distribution", "Enabled", False),
    )
    memory, gone = drift("lambda_function", "MemorySize", 512), drift("lambda_function", "")
    assert sorted([memory, off, gone, policy], key=urgency) == [policy, gone, off, memory]
    assert "who may read the bucket" in policy.sentence
    assert "visitors get no answer" in off.sentence


def test_a_list_is_accepted_with_its_length():
    items = Drift("d", "distribution", "x", "A.Items", recorded=["b"], actual=None)
    assert accepting([items], "A.Items") == {"A.Items": None, "A.Quantity": 0}


names = st.sampled_from("abc")
paths = st.lists(names, min_size=1, max_size=3).map(".".join)
leaves = st.none() | st.integers() | st.dictionaries(names, st.integers(), max_size=2)


@given(st.lists(st.tuples(paths, leaves), max_size=6), paths, leaves)
def test_what_was_put_is_there_and_nothing_stands_in_its_way(puts, path, value):
    values: dict[str, Any] = {}
    for each in [*puts, (path, value)]:
        values = put(values, *each)
    assert at(placed(values), path) == value


acts = st.lists(
    st.one_of(
        st.tuples(st.just("edit"), st.integers(10, 12)),
        st.tuples(st.sampled_from(["accept", "set color"]), st.sampled_from(["red", "green"])),
        st.tuples(st.just("set size"), st.integers(1, 3)),
        st.tuples(st.just("pass"), st.booleans()),
    ),
    max_size=12,
)


@given(acts)
def test_only_a_setting_or_a_shown_plan_takes_back_what_was_changed_on_aws(acts):
    """Edits, acceptances, changes of settings and passes, shown before or not, in any order."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(TYPES, "fake", FakeResource)
        world, wanted = FakeWorld(), {"size": 1, "color": "red"}
        for act, value in acts:
            if act == "edit":
                world.thing["size"] = value
            elif act.startswith("set "):
                wanted[act.removeprefix("set ")] = value
            elif act == "accept":
                for drift in world.look():
                    accepted = put(world.store.rows["a"].accepted, drift.path, drift.actual)
                    world.note(accepted=accepted)
                assert world.look() == ()
            else:
                before, asked = world.thing["size"], world.store.rows["a"]
                world.note(leaves_drift=not value)
                world.advance(**wanted)
                if asked.inputs["size"] != wanted["size"]:
                    expected = wanted["size"]
                elif value:
                    expected = asked.accepted.get("size", wanted["size"])
                else:
                    expected = before
                assert world.thing["size"] == expected
                assert world.thing["color"] == wanted["color"]
