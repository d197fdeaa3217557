"""The engine over fakes: what is written down when step n fails, and how it goes on."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest import mock

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError

from sites import provisioning
from sites.provisioning import Done, Failed, Record, UnsafePlan, Wait, Waiting
from sites.provisioning.resources import TYPES
from sites.provisioning.steps import Stack, Step
from tests.fakes import FakeCloud, FakeResource, Killed, MemoryStore

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def aws_error(code: str, status: int = 400) -> ClientError:
    response: Any = {
        "Error": {"Code": code, "Message": "what AWS says"},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    return ClientError(response, "CreateFake")


@pytest.fixture(autouse=True)
def _fake_type(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(TYPES, "fake", FakeResource)


@pytest.fixture
def cloud() -> FakeCloud:
    return FakeCloud()


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


def fake(logical_id: str, *needs: str, **fields) -> Step:
    def build(s):
        for need in needs:
            s.ready(need)
        return FakeResource(logical_id, **fields)

    return Step(logical_id, build)


def stack(*steps: Step) -> Stack:
    return Stack(steps, {})


CHAIN = stack(fake("a"), fake("b", "a"), fake("c", "b"), fake("d"))


def advance(steps, cloud, store, now=NOW):
    return provisioning.advance(steps, cloud, store, now=now)


def destroy(steps, cloud, store, now=NOW):
    return provisioning.destroy(steps, cloud, store, now=now)


def test_advance_creates_everything_in_order(cloud, store):
    assert advance(CHAIN, cloud, store) == Done()
    assert cloud.calls == ["create a", "create b", "create c", "create d"]
    assert [*store.rows] == ["a", "b", "c", "d"]
    assert store.events == ["+ fake  a", "+ fake  b", "+ fake  c", "+ fake  d"]


def test_advance_again_changes_nothing(cloud, store):
    advance(CHAIN, cloud, store)
    cloud.calls.clear()
    assert advance(CHAIN, cloud, store) == Done()
    assert cloud.calls == []


def test_advance_records_before_the_next_call(cloud, store):
    advance(stack(fake("a"), fake("b")), cloud, store)
    assert store.writes == ["intend a", "record a", "intend b", "record b"]


@pytest.mark.parametrize("answer_is_lost", [False, True])
@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_advance_killed_at_any_step_goes_on(cloud, store, n, answer_is_lost):
    cloud.fail_at, cloud.answer_is_lost = n, answer_is_lost
    with pytest.raises(Killed):
        advance(CHAIN, cloud, store)
    # All that exists is written down, at least as an intent.
    assert set(cloud.things) <= set(store.rows)
    assert advance(CHAIN, cloud, store) == Done()
    creates = [call for call in cloud.calls if call.startswith("create")]
    assert len(creates) == (4 if answer_is_lost else 5)
    assert {name: row.physical_id for name, row in store.rows.items()} == {
        name: f"id-{name}" for name in "abcd"
    }


@pytest.mark.parametrize("answer_is_lost", [False, True])
@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_destroy_killed_at_any_step_goes_on(cloud, store, n, answer_is_lost):
    advance(CHAIN, cloud, store)
    cloud.calls.clear()
    cloud.fail_at, cloud.answer_is_lost = n, answer_is_lost
    with pytest.raises(Killed):
        destroy(CHAIN, cloud, store)
    assert set(cloud.things) <= set(store.rows)
    assert destroy(CHAIN, cloud, store) == Done()
    assert cloud.things == {}
    assert store.rows == {}


def test_destroy_walks_backwards(cloud, store):
    advance(CHAIN, cloud, store)
    cloud.calls.clear()
    assert destroy(CHAIN, cloud, store) == Done()
    assert cloud.calls == ["delete d", "delete c", "delete b", "delete a"]


def test_destroy_finds_what_only_an_intent_tells_of(cloud, store):
    cloud.fail_at, cloud.answer_is_lost = 1, True
    with pytest.raises(Killed):
        advance(CHAIN, cloud, store)
    assert store.rows["a"].physical_id == ""
    assert destroy(CHAIN, cloud, store) == Done()
    assert cloud.things == {}


def test_destroy_leaves_what_is_another_s_under_the_name_of_an_intent(cloud, store):
    cloud.things["a"] = {"size": 1, "color": "red", "age": 0, "owner": "somebody"}
    store.rows["a"] = Record("fake", {"name": "a"})
    assert destroy(CHAIN, cloud, store) == Done()
    assert (set(cloud.things), store.rows, store.events) == ({"a"}, {}, [])


def test_data_that_no_plan_deletes_stays(cloud, store, monkeypatch):
    monkeypatch.setattr(FakeResource, "keeps_data", True)
    advance(CHAIN, cloud, store)
    store.rows["d"] = replace(store.rows["d"], may_go=False)
    with pytest.raises(UnsafePlan, match="--force d"):
        advance(stack(fake("a"), fake("b", "a"), fake("c", "b")), cloud, store)
    assert "d" in cloud.things


def test_destroy_keeps_what_something_that_remains_needs(cloud, store):
    advance(CHAIN, cloud, store)
    cloud.calls.clear()
    cloud.fail_at, cloud.error = 2, aws_error("FakeInUse", 409)
    outcome = destroy(CHAIN, cloud, store)
    assert isinstance(outcome, Waiting)
    assert outcome.waits[0].what == "c"
    assert outcome.waits[0].why == "AWS to see that nothing uses it"
    assert cloud.calls == ["delete d", "delete c"]
    assert destroy(CHAIN, cloud, store) == Done()


@pytest.mark.parametrize("code", ["AccessDenied", "SlowDown"])
def test_destroy_stops_at_a_failure(cloud, store, code):
    advance(CHAIN, cloud, store)
    cloud.calls.clear()
    cloud.fail_at, cloud.error = 1, aws_error(code, 403)
    outcome = destroy(CHAIN, cloud, store)
    assert isinstance(outcome, Failed)
    assert outcome.permanent == (code == "AccessDenied")
    assert "d.delete: AWS said" in str(outcome.error)
    assert cloud.calls == ["delete d"]
    assert set(store.rows) == {"a", "b", "c", "d"}


def test_advance_adopts_what_exists_already(cloud, store):
    cloud.fail_at, cloud.error = 1, aws_error("FakeExists", 409)
    cloud.answer_is_lost = True
    assert advance(stack(fake("a")), cloud, store) == Done()
    assert store.rows["a"].physical_id == "id-a"


def test_advance_finishes_what_it_adopted_half_made(cloud, store):
    cloud.things["a"] = {"size": 0, "color": "red", "age": 0}
    cloud.fail_at, cloud.error = 1, aws_error("FakeExists", 409)

    class Trailing(FakeResource):
        """Not listed yet when it is looked for, found when it is in the way."""

        def _read(self, clients, known_id):
            return super()._read(clients, known_id) if clients.calls else None

    half = Stack((Step("a", lambda s: Trailing("a", size=3)),), {})
    outcome = advance(half, cloud, store)
    assert isinstance(outcome, Waiting)
    assert outcome.waits[0].why == "the next look, to finish what is half made"
    assert advance(half, cloud, store) == Done()
    assert cloud.things["a"]["size"] == 3


@pytest.mark.parametrize("code", ["FakeMissing", "FakeRefused"])
def test_destroy_believes_its_eyes_when_a_delete_is_refused_after_all(cloud, store, code):
    advance(stack(fake("a")), cloud, store)
    cloud.calls.clear()
    cloud.fail_at, cloud.error = 1, aws_error(code)
    cloud.answer_is_lost = True
    assert destroy(stack(fake("a")), cloud, store) == Done()
    assert cloud.things == {}


def test_destroy_goes_on_when_a_part_was_not_found(cloud, store, monkeypatch):
    monkeypatch.setattr(FakeResource, "not_found", frozenset({"FakeMissing"}))
    advance(stack(fake("a")), cloud, store)
    cloud.calls.clear()
    cloud.fail_at, cloud.error = 1, aws_error("FakeMissing", 404)
    outcome = destroy(stack(fake("a")), cloud, store)
    assert isinstance(outcome, Waiting)
    assert outcome.waits[0].why == "the next look, to delete what is left of it"
    assert destroy(stack(fake("a")), cloud, store) == Done()
    assert cloud.things == {}


def test_advance_waits_for_a_list_that_trails_its_create(cloud, store, monkeypatch):
    monkeypatch.setattr(FakeResource, "_read", lambda self, clients, known_id: None)
    outcome = advance(stack(fake("a")), cloud, store)
    assert isinstance(outcome, Waiting)
    assert outcome.waits[0].why == "AWS to show what was just made"
    assert store.rows["a"].physical_id == "id-a"


def test_advance_waits_without_stopping_what_is_independent(cloud, store):
    slow = stack(fake("a", passes=2), fake("b", "a"), fake("c"))
    outcome = advance(slow, cloud, store)
    assert isinstance(outcome, Waiting)
    (wait,) = outcome.waits
    assert (wait.what, wait.why, wait.since) == ("a", "a to become ready", NOW)
    assert wait.next_check > NOW
    assert set(cloud.things) == {"a", "c"}
    assert isinstance(advance(slow, cloud, store), Waiting | Done)
    assert advance(slow, cloud, store) == Done()
    assert set(cloud.things) == {"a", "b", "c"}


def test_advance_remembers_since_when_it_waits(cloud, store):
    slow = stack(fake("a", passes=5))
    advance(slow, cloud, store)
    outcome = advance(slow, cloud, store, NOW + timedelta(minutes=10))
    assert isinstance(outcome, Waiting)
    (wait,) = outcome.waits
    assert wait.since == NOW
    assert wait.next_check == NOW + timedelta(minutes=11)
    for _ in range(5):
        advance(slow, cloud, store)
    assert store.rows["a"].waiting_since is None


def test_advance_tells_what_another_stack_owes(cloud, store):
    outcome = advance(stack(fake("a", "database")), cloud, store)
    assert isinstance(outcome, Waiting)
    assert outcome.waits[0].why == "database is not ready yet."


def test_what_another_stack_owes_is_looked_at_with_it(cloud, store):
    shared = Waiting((Wait("database", "RDS", NOW, NOW + timedelta(minutes=1)),))
    outcome = shared.joined(advance(stack(fake("a", "database")), cloud, store))
    assert isinstance(outcome, Waiting)
    assert {wait.next_check for wait in outcome.waits} == {NOW + timedelta(minutes=1)}


def test_advance_refused_stops_dependants_alone(cloud, store):
    cloud.fail_at, cloud.error = 1, aws_error("AccessDenied", 403)
    outcome = advance(CHAIN, cloud, store)
    assert isinstance(outcome, Failed)
    assert outcome.permanent
    assert str(outcome.error).startswith("a.create: AWS said AccessDenied: what AWS says. Try: ")
    assert set(cloud.things) == {"d"}


def test_advance_tells_each_failure(cloud, store, monkeypatch):
    refuse = mock.create_autospec(FakeResource._read, side_effect=aws_error("AccessDenied", 403))
    monkeypatch.setattr(FakeResource, "_read", refuse)
    outcome = advance(stack(fake("a"), fake("b", "a"), fake("c")), cloud, store)
    assert isinstance(outcome, Failed)
    assert [each.logical_id for each in (outcome.error, *outcome.others)] == ["a", "c"]


@pytest.mark.parametrize(
    "error",
    [aws_error("SlowDown", 503), EndpointConnectionError(endpoint_url="http://aws.example")],
)
def test_advance_stops_when_aws_is_busy_or_away(cloud, store, error):
    cloud.fail_at, cloud.error = 1, error
    outcome = advance(CHAIN, cloud, store)
    assert isinstance(outcome, Failed)
    assert not outcome.permanent
    assert cloud.things == {}


def test_advance_updates_and_replaces(cloud, store):
    advance(stack(fake("a"), fake("b")), cloud, store)
    cloud.calls.clear()
    changed = stack(fake("a", size=2), fake("b", color="blue"))
    text = provisioning.plan(changed, cloud, store).as_text()
    assert "~ fake  a\n      size: 1 -> 2" in text
    assert "-/+ fake  b\n      color: red -> blue" in text
    assert "Plan: 1 to add, 1 to change, 1 to destroy." in text
    assert advance(changed, cloud, store) == Done()
    assert cloud.calls == ["update a", "delete b", "create b"]


def test_advance_deletes_what_is_no_longer_described(cloud, store):
    advance(CHAIN, cloud, store)
    cloud.calls.clear()
    shorter = stack(fake("a"))
    assert advance(shorter, cloud, store) == Done()
    assert cloud.calls == ["delete d", "delete c", "delete b"]
    assert [*store.rows] == ["a"]


def test_advance_keeps_what_is_no_longer_described_until_nothing_is_put_off(cloud, store):
    advance(stack(fake("old")), cloud, store)
    changing = stack(fake("new", passes=3), fake("user", "new"))
    advance(changing, cloud, store)
    assert "old" in cloud.things
    for _ in range(4):
        outcome = advance(changing, cloud, store)
    assert outcome == Done()
    assert "old" not in cloud.things


def test_advance_given_up_is_told_once_then_made_anew(cloud, store):
    advance(stack(fake("a")), cloud, store)
    cloud.things["a"]["failure"] = "refused by a CAA record"
    store.rows["a"] = store.rows["a"].__class__("fake", {"name": "a"}, "id-a", aws_status="pending")
    outcome = advance(stack(fake("a")), cloud, store)
    assert isinstance(outcome, Failed)
    assert outcome.permanent
    assert "a.read: refused by a CAA record. Try:" in str(outcome.error)
    assert advance(stack(fake("a")), cloud, store) == Done()
    assert cloud.calls == ["create a", "delete a", "create a"]


def test_advance_makes_again_what_vanished(cloud, store):
    advance(CHAIN, cloud, store)
    del cloud.things["b"]
    assert "+ fake  b" in provisioning.plan(CHAIN, cloud, store).as_text()
    assert advance(CHAIN, cloud, store) == Done()
    assert set(cloud.things) == {"a", "b", "c", "d"}


def test_plan_writes_nothing(cloud, store):
    plan = provisioning.plan(CHAIN, cloud, store)
    assert plan.as_text().endswith("Plan: 4 to add, 0 to change, 0 to destroy.")
    assert cloud.calls == []
    assert store.writes == []


def test_plan_says_where_a_refused_read_happened(cloud, store, monkeypatch):
    def refuse(self, clients, known_id):
        raise aws_error("AccessDenied", 403)

    monkeypatch.setattr(FakeResource, "_read", refuse)
    with pytest.raises(provisioning.ResourceFailed, match=r"a\.read: AWS said AccessDenied"):
        provisioning.plan(CHAIN, cloud, store)


def test_a_create_whose_answer_was_lost_is_looked_for_at_once(cloud, store):
    cloud.fail_at, cloud.answer_is_lost = 2, True
    cloud.error = ReadTimeoutError(endpoint_url="https://aws")
    assert advance(CHAIN, cloud, store) == Done()
    assert [call for call in cloud.calls if call == "create b"] == ["create b"]


def test_a_generation_is_kept_until_its_create_is_known(cloud, store):
    cloud.fail_at, cloud.error = 1, Killed()
    with pytest.raises(Killed):
        advance(CHAIN, cloud, store)
    first = store.rows["a"].generation
    advance(CHAIN, cloud, store)
    assert store.rows["a"].generation == first
    del cloud.things["a"]
    advance(CHAIN, cloud, store)
    assert store.rows["a"].generation > first


def test_what_is_somebody_elses_is_refused_before_anything_of_it_is_changed(cloud, store):
    cloud.things["a"] = {"size": 2, "color": "red", "age": 9, "owner": "somebody"}
    outcome = advance(CHAIN, cloud, store)
    assert isinstance(outcome, Failed)
    assert outcome.permanent
    assert "its tags say that it is not ours" in str(outcome.error)
    assert "a" not in [call.split()[-1] for call in cloud.calls]
    with pytest.raises(provisioning.ResourceFailed, match="not ours"):
        provisioning.plan(CHAIN, cloud, store)


def test_what_was_accepted_is_wanted(cloud, store):
    advance(CHAIN, cloud, store)
    cloud.things["a"]["size"] = 7
    assert [c.action for c in provisioning.plan(CHAIN, cloud, store).effective] == ["update"]
    store.rows["a"] = replace(store.rows["a"], accepted={"size": 7})
    assert not provisioning.plan(CHAIN, cloud, store).effective
