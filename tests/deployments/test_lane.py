"""Whose turn it is, who is overtaken, and what stops deployments from being published."""

from __future__ import annotations

import threading
from datetime import timedelta
from itertools import permutations

import pytest
from django.db import connection
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from deployments import lane, operations, publish
from deployments.errors import DeploymentRefused
from deployments.models import Deployment, DeploySettings
from deployments.rollback import rollback
from sites.models import Site
from tests.deployments.world import finish, served, wanted
from tests.factories import DeploymentFactory

pytestmark = pytest.mark.django_db

State, Phase = Deployment.State, Deployment.Phase


def waiting(site: Site, number: int, **fields: object) -> Deployment:
    return DeploymentFactory(
        site=site, number=number, state=State.IN_PROGRESS, phase=Phase.QUEUE, **fields
    )


# --- The queue ------------------------------------------------------------------------------------


def test_one_deployment_at_a_time_is_in_the_lane(site, world, begin):
    first, second = begin({"a.html": "1"}), begin({"a.html": "2"})
    assert operations.advance(second) is not None
    assert second.phase == Phase.INDEX
    assert operations.advance(first) is not None
    assert first.phase == Phase.QUEUE
    assert lane.place(first) == 1
    assert lane.place(second) is None


def test_the_newest_wins_though_the_older_ends_last(site, world, begin):
    older, newer = begin({"a.html": "older"}), begin({"a.html": "newer"})
    finish(newer)
    finish(older)
    assert (older.state, older.is_published) == (State.INACTIVE, False)
    assert f"Overtaken by #{newer.number}, which is newer" in older.error_message
    newer.refresh_from_db()
    assert newer.is_published
    assert served(site, world) == wanted(newer)


def test_of_those_that_wait_the_newest_goes_first(site):
    rows = [waiting(site, number) for number in (1, 2, 3)]
    assert [lane.place(row) for row in rows] == [2, 1, 0]


def test_addresses_take_turns_as_they_were_asked_for(site):
    preview = {"environment": "preview", "label": "login"}
    rows = {
        1: waiting(site, 1),
        2: waiting(site, 2, **preview),
        3: waiting(site, 3),
        4: waiting(site, 4, **preview),
    }
    assert {number: lane.place(row) for number, row in rows.items()} == {3: 0, 1: 1, 4: 2, 2: 3}


@given(st.permutations(range(1, 7)), st.lists(st.sampled_from(["", "x", "y"]), min_size=6))
def test_the_order_is_one_whoever_asks(numbers, labels):
    rows = [Deployment(number=n, label=label) for n, label in zip(numbers, labels, strict=False)]
    order = [row.number for row in lane.in_order(rows)]
    assert order == [row.number for row in lane.in_order(rows[::-1])]
    assert sorted(order) == sorted(row.number for row in rows)
    for label in labels:
        same = [row.number for row in lane.in_order(rows) if row.label == label]
        assert same == sorted(same, reverse=True)


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_whatever_the_order_of_the_ends_the_newest_is_served(site, world, begin, order):
    rows = [begin({"a.html": str(number)}) for number in range(3)]
    while any(row.state in Deployment.ACTIVE for row in rows):
        for number in order:
            if rows[number].state in Deployment.ACTIVE:
                operations.advance(rows[number])
    assert publish.published(site) == rows[2]
    assert served(site, world) == wanted(rows[2])


def test_a_preview_is_not_overtaken_by_production(site):
    live = DeploymentFactory(site=site, number=3, current=True)
    assert lane.overtaken_by(waiting(site, 1)) == live
    preview = waiting(site, 2, environment="preview", label="login")
    assert lane.overtaken_by(preview) is None
    newer = DeploymentFactory(site=site, number=4, environment="preview", label="login")
    assert lane.overtaken_by(preview) == newer


def test_who_waits_helps_on_what_a_dead_process_left_before_it(site, world, begin):
    dead, alive = begin({"a.html": "1"}), begin({"a.html": "2"})
    operations.request_cancel(begin({"a.html": "3"}))
    Deployment.objects.filter(pk=dead.pk).update(phase=Phase.INDEX, lease_until=timezone.now())
    finish(alive)
    assert alive.is_published
    dead.refresh_from_db()
    assert dead.state not in Deployment.ACTIVE


def test_a_worker_lets_go_of_who_waits_and_the_end_of_the_other_wakes_it(
    site, world, begin, monkeypatch, django_capture_on_commit_callbacks
):
    woken: list[int] = []
    monkeypatch.setattr(
        "celery.current_app.send_task", lambda name, arguments: woken.append(arguments[0])
    )
    first, second = begin({"a.html": "1"}), begin({"a.html": "2"})
    operations.advance(second)
    first.release()
    assert operations.resume(first.pk) is None
    first.refresh_from_db()
    assert (first.phase, first.is_held) == (Phase.QUEUE, False)
    with django_capture_on_commit_callbacks(execute=True):
        finish(second)
    assert woken == [first.pk]


@pytest.mark.django_db(transaction=True)
def test_of_many_at_once_one_gets_in(site, world, begin):
    rows = [begin({"a.html": str(number)}) for number in range(4)]
    barrier = threading.Barrier(len(rows))

    def enter(row: Deployment) -> None:
        try:
            barrier.wait()
            operations.advance(row)
        finally:
            connection.close()

    threads = [threading.Thread(target=enter, args=[row]) for row in rows]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [row.phase for row in rows] == [*[Phase.QUEUE] * 3, Phase.INDEX]


# --- Locked, and held back ------------------------------------------------------------------------


def test_while_a_site_is_locked_deployments_end_ready_and_one_step_away(site, world, deploy):
    before = deploy({"a.html": "1"})
    lane.lock(site, "Sale until Friday", "ada", timezone.now() + timedelta(hours=1))
    ready = deploy({"a.html": "2"})
    assert (ready.state, ready.phase, ready.is_published) == (State.SUCCESS, Phase.DONE, False)
    assert "Sale until Friday" in ready.error_message
    assert "ada" in ready.error_message
    assert served(site, world) == wanted(before)
    assert lane.ready(site) == ready
    again = rollback(site, ready.number)
    assert again.claim(state=State.IN_PROGRESS)
    finish(again)
    assert (again.is_published, again.uploaded) == (True, 0)
    assert served(site, world) == wanted(ready)


def test_what_changes_nothing_is_not_published_either(site, world, deploy):
    deploy({"a.html": "1"})
    lane.lock(site, "Sale")
    assert not deploy({"a.html": "1"}).is_published


def test_an_expired_lock_counts_for_nothing(site, world, deploy):
    lane.lock(site, "Sale", until=timezone.now() + timedelta(hours=1))
    DeploySettings.objects.update(locked_until=timezone.now())
    assert lane.stopped_because(site) == ""
    assert deploy({}).is_published


def test_a_lock_needs_a_reason_and_a_future(site):
    with pytest.raises(DeploymentRefused, match="reason"):
        lane.lock(site, " ")
    with pytest.raises(DeploymentRefused, match="future"):
        lane.lock(site, "Sale", until=timezone.now())
    with pytest.raises(DeploymentRefused, match="not locked"):
        lane.unlock(site)


def test_an_unlocked_site_publishes_again(site, world, deploy):
    lane.lock(site, "Sale")
    lane.unlock(site)
    assert deploy({}).is_published


def test_after_going_back_deployments_wait_until_publishing_is_resumed(site, world, deploy):
    old = deploy({"a.html": "1"})
    deploy({"a.html": "2"})
    rollback(site)
    ready = deploy({"a.html": "3"})
    assert not ready.is_published
    assert f"rolled back to #{old.number}" in ready.error_message
    assert lane.release_hold(site)
    assert not lane.release_hold(site)
    assert deploy({"a.html": "4"}).is_published


def test_going_forward_to_the_newest_resumes_publishing(site, world, deploy):
    deploy({"a.html": "1"})
    newest = deploy({"a.html": "2"})
    rollback(site)
    rollback(site, newest.number)
    assert lane.stopped_because(site) == ""
    assert deploy({"a.html": "3"}).is_published


def test_a_lock_that_comes_before_the_flip_holds(site, world, begin):
    deployment = begin({"a.html": "1"})
    while deployment.phase != Phase.SETTLE:
        operations.advance(deployment)
    lane.lock(site, "Stop")
    assert operations.advance(deployment) is None
    assert (deployment.state, deployment.is_published) == (State.SUCCESS, False)
    assert world.flips == 0
