"""The index while somebody else writes it, or is not done with it."""

from __future__ import annotations

import json
from typing import Any, cast

import pytest
from django.db import connection

from cloudadmin.aws import Clients
from deployments import access, operations, publish
from deployments.edge import edge_index, index_rows, index_shape, room
from deployments.errors import DeploymentRefused
from deployments.models import Deployment, EdgeIndex, IndexBucket
from deployments.rollback import rollback
from deployments.target import target_of
from sites.models import Site
from tests.deployments.world import finish, served, wanted

pytestmark = pytest.mark.django_db

State, Phase = Deployment.State, Deployment.Phase
# More than fit into the one bucket that an index begins with.
MANY = {f"{number}.html": "x" for number in range(40)}


def head(site, world) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(world.keys["h:" + target_of(site).hosts[0]])
    return found


def until(deployment: Deployment, phase: str) -> None:
    while deployment.phase != phase:
        operations.advance(deployment)


@pytest.mark.parametrize("phase", [Phase.SETTLE, Phase.FLIP])
def test_no_head_names_an_index_that_has_not_settled(site, world, deploy, begin, phase):
    first, second = deploy({"a.html": "1"}), deploy({"a.html": "2"})
    later = begin({"a.html": "3", **MANY})
    until(later, phase)
    assert EdgeIndex.objects.get(site=site).generation == 2
    rollback(site, first.number)
    assert head(site, world)["g"] == (1 if phase == Phase.SETTLE else 2)
    assert served(site, world) == wanted(first)
    rollback(site, second.number)
    access.set_maintenance(site, on=True)
    assert served(site, world) == wanted(second)
    assert head(site, world)["g"] == (1 if phase == Phase.SETTLE else 2)


def test_a_deployment_that_is_not_written_yet_holds_up_no_head(site, world, deploy, begin):
    first, _ = deploy({"a.html": "1"}), deploy({"a.html": "2"})
    later = begin({"a.html": "3", **MANY})
    until(later, Phase.INDEX)
    index_rows.prepare(later, publish.manifest_of(later))
    before = world.writes
    rollback(site, first.number)
    assert world.writes == before + 1
    assert served(site, world) == wanted(first)
    assert IndexBucket.objects.filter(is_written=False).exists()


def test_after_a_cancelled_deployment_the_next_one_brings_its_index(site, world, deploy, begin):
    before = deploy({"a.html": "1"})
    cancelled = begin({"a.html": "2", **MANY})
    until(cancelled, Phase.INDEX)
    index_rows.prepare(cancelled, publish.manifest_of(cancelled))
    operations.request_cancel(cancelled)
    operations.advance(cancelled)
    assert cancelled.state == State.INACTIVE
    access.set_maintenance(site, on=True)
    access.set_maintenance(site, on=False)
    assert served(site, world) == wanted(before)
    after = deploy({"a.html": "3"})
    assert head(site, world)["g"] == 2
    assert served(site, world) == wanted(after)


def test_who_writes_late_neither_puts_nor_marks_what_was_replaced(site, world, deploy, begin):
    deploy({"a.html": "1"})
    late, next_one = begin({"a.html": "2"}), begin({"a.html": "3"})
    arn, clients = target_of(site).store_arn, cast(Clients, world)
    until(next_one, Phase.INDEX)
    index_rows.prepare(late, publish.manifest_of(late))
    update_keys = world.update_keys

    def and_before(**arguments: Any) -> Any:
        """Another process gets in between the late one's reading and its call."""
        world.update_keys = update_keys
        index_rows.prepare(next_one, publish.manifest_of(next_one))
        index_rows.write(site, clients, arn)
        return update_keys(**arguments)

    world.update_keys = and_before
    index_rows.write(site, clients, arn)
    bucket = IndexBucket.objects.get()
    assert world.keys["1:0"] == bucket.value
    assert bucket.is_written


def test_what_is_replaced_while_it_is_sent_is_sent_again(site, world, deploy, begin):
    deploy({"a.html": "1"})
    first, second = begin({"a.html": "2"}), begin({"a.html": "3"})
    arn, clients = target_of(site).store_arn, cast(Clients, world)
    index_rows.prepare(first, publish.manifest_of(first))
    world.at = lambda: index_rows.prepare(second, publish.manifest_of(second))
    index_rows.write(site, clients, arn)
    world.at = lambda: None
    assert IndexBucket.objects.filter(is_written=False).exists()
    index_rows.write(site, clients, arn)
    assert world.keys["1:0"] == IndexBucket.objects.get().value


def test_heads_of_a_slow_process_do_not_replace_newer_ones(site, world, deploy):
    first, _ = deploy({"a.html": "1"}), deploy({"a.html": "2"})
    update_keys = world.update_keys

    def and_before(**arguments: Any) -> Any:
        world.update_keys = update_keys
        rollback(site, first.number)
        return update_keys(**arguments)

    world.update_keys = and_before
    Site.objects.filter(pk=site.pk).update(is_spa=True)
    publish.flip(site, target_of(site), cast(Clients, world))
    assert publish.published(site) == first
    assert served(site, world) == wanted(first)


def test_a_release_that_was_given_up_is_not_named(site, world, deploy):
    first, second = deploy({"a.html": "1"}), deploy({"a.html": "2"})
    index_rows.forget(site, [first])
    with pytest.raises(DeploymentRefused, match="given up"):
        index_rows.name_head(site, first.release_number)
    assert index_rows.is_named(second)


def test_while_an_index_is_prepared_nobody_else_decides(site, world, begin, monkeypatch):
    """Always the site's row first, so that two who need both never wait for each other."""
    locked: list[bool] = []
    prepare = index_rows.prepare

    def asked(*arguments: Any) -> None:
        locked.append("FOR NO KEY UPDATE" in queries[-1])
        prepare(*arguments)

    queries: list[str] = []

    def note(execute: Any, sql: str, *rest: Any) -> Any:
        queries.append(sql)
        return execute(sql, *rest)

    monkeypatch.setattr(index_rows, "prepare", asked)
    with connection.execute_wrapper(note):
        finish(begin({"a.html": "1"}))
    assert locked == [True]


def test_before_the_first_index_nothing_can_be_named(site, world, begin):
    deployment = begin({"a.html": "1"})
    operations.request_cancel(deployment)
    operations.advance(deployment)
    assert not index_rows.can_name(deployment)
    again = rollback(site, deployment.number)
    assert again.claim(state=State.IN_PROGRESS)
    finish(again)
    assert served(site, world) == wanted(deployment)


def stored(world) -> int:
    return sum(len(key) + len(value) for key, value in world.keys.items())


def test_what_is_in_the_store_is_counted_and_what_nobody_needs_makes_room(
    site, world, deploy, begin, settings
):
    deploy({"a.html": "1"})
    cancelled = begin(MANY)
    until(cancelled, Phase.SETTLE)
    operations.request_cancel(cancelled)
    operations.advance(cancelled)
    row = EdgeIndex.objects.get(site=site)
    newest = sum(len(key) + len(value) for key, value in world.keys.items() if key.startswith("2:"))
    assert 0 <= index_shape.occupied(row) - (stored(world) - newest) < index_shape.KEY
    settings.CLOUDADMIN_SETTLE_SECONDS = 3600
    arn, clients = target_of(site).store_arn, cast(Clients, world)
    index_rows.settled(site)
    publish.flip(site, target_of(site), clients)
    index_rows.make_room(site, clients, arn)
    assert "1:0" in world.keys
    settings.CLOUDADMIN_SETTLE_SECONDS = 0.0
    index_rows.make_room(site, clients, arn)
    assert "1:0" not in world.keys
    assert "2:0" in world.keys


def test_the_guard_counts_the_generation_that_heads_name(site, world, deploy, begin, monkeypatch):
    deploy({"a.html": "1"})
    later = begin(MANY)
    until(later, Phase.SETTLE)
    manifest = publish.manifest_of(later)
    row = EdgeIndex.objects.get(site=site)
    size = sum(len(value) for value in index_shape.newest(row).values.values())
    most = size + index_shape.occupied(row) + 200
    monkeypatch.setattr(edge_index, "MAX_STORE", most)
    room.raise_if_full(site, manifest)
    old = row.bucket_rows.get(generation=1)
    old.value += "x" * 400
    old.save()
    with pytest.raises(DeploymentRefused, match="Nothing was uploaded"):
        room.raise_if_full(site, manifest)


def test_open_pages_are_kept_only_what_a_release_lost(site, world, deploy, begin):
    deploy({"app.js": "1", "lost.js": "1"})
    deploy({"app.js": "1"})
    assert EdgeIndex.objects.get(site=site).graced.keys() == {"lost.js"}
    begin({"app.js": "1", "lost.js": "2"})
    assert EdgeIndex.objects.get(site=site).graced.keys() == {"lost.js"}
