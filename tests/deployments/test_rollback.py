"""Serving another deployment: earlier, later, and while another one is on its way."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from cloudadmin.aws import ClientError
from deployments import lane, operations, publish, steps
from deployments.edge import index_rows
from deployments.errors import DeploymentRefused
from deployments.models import Deployment, EdgeIndex
from deployments.rollback import rollback, sites_with_unwritten_head, write_head
from tests.deployments.world import finish, served, wanted
from tests.factories import UserFactory

pytestmark = pytest.mark.django_db

State, Phase = Deployment.State, Deployment.Phase


def test_back_and_forward_are_one_flip_each(site, world, deploy):
    rows = [deploy({"a.html": str(number)}) for number in range(4)]
    for row in (rows[2], rows[0], rows[3], rows[1]):
        flips = world.flips
        rollback(site, row.number)
        assert world.flips == flips + 1
        assert served(site, world) == wanted(row)
        assert publish.published(site) == row


def test_without_a_number_it_is_the_one_before(site, world, deploy):
    rows = [deploy({"a.html": str(number)}) for number in range(3)]
    assert rollback(site) == rows[1]
    assert rollback(site) == rows[0]
    with pytest.raises(DeploymentRefused, match="no earlier"):
        rollback(site)


def test_the_page_of_errors_is_put_where_it_differs_alone(site, world, deploy, monkeypatch):
    for page in ("1", "2", "2"):
        deploy({"a.html": str(Deployment.objects.count()), "404.html": page})
    put: list[str] = []
    monkeypatch.setattr(world, "copy_object", lambda **call: put.append(call["CopySource"]["Key"]))
    rollback(site)
    assert put == []
    row = rollback(site)
    assert put == [f"objects/{publish.manifest_of(row).entries['404.html'].hash}/404.html"]


def test_a_head_is_written_again_until_the_page_of_errors_is_there_too(
    site, world, deploy, monkeypatch
):
    before = deploy({"404.html": "1"})
    deploy({"404.html": "2"})

    def refuse(**_: Any) -> None:
        raise ClientError({"Error": {"Code": "SlowDown", "Message": "later"}}, "CopyObject")

    with monkeypatch.context() as down:
        down.setattr(world, "copy_object", refuse)
        assert rollback(site) == before
        assert site in sites_with_unwritten_head()
    write_head(site)
    assert world.error_page.endswith(
        f"{publish.manifest_of(before).entries['404.html'].hash}/404.html"
    )
    assert site not in sites_with_unwritten_head()


def test_nobody_else_writes_the_head_that_a_deployment_is_about_to_write(site, world, begin):
    flipping = begin({"a.html": "1"})
    while flipping.phase != Phase.FLIP:
        operations.advance(flipping)
    assert not EdgeIndex.objects.get(site=site).is_head_written
    Deployment.objects.update(lease_until=timezone.now() + timedelta(seconds=20))
    assert site not in sites_with_unwritten_head()
    Deployment.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    assert site in sites_with_unwritten_head()


def test_a_release_that_the_index_gave_up_gets_its_records_again(site, world, deploy):
    old, _ = deploy({"a.html": "1"}), deploy({"a.html": "2"})
    EdgeIndex.objects.update(reachable=[])
    lane.lock(site, "Who names a deployment means it")
    again = rollback(site, old.number, UserFactory(username="ada"))
    assert again.state in Deployment.ACTIVE
    assert again.claim(state=State.IN_PROGRESS)
    finish(again)
    assert (again.is_published, again.uploaded) == (True, 0)
    assert served(site, world) == wanted(old)
    lane.unlock(site)
    assert lane.stopped_because(site).endswith(f"rolled back to #{old.number} by ada")


def test_an_overtaken_deployment_can_be_published_all_the_same(site, world, begin):
    older, newer = begin({"a.html": "older"}), begin({"a.html": "newer"})
    finish(newer)
    finish(older)
    again = rollback(site, older.number)
    again.claim(state=State.IN_PROGRESS)
    finish(again)
    assert served(site, world) == wanted(older)


def test_while_another_one_is_verified_the_rollback_wins(site, world, deploy, begin):
    before = deploy({"a.html": "1", "404.html": "1"})
    verified = begin({"a.html": "2", "404.html": "2"})
    while verified.phase != Phase.VERIFY:
        operations.advance(verified)
    assert publish.served(site) == verified
    assert rollback(site) == before
    finish(verified)
    assert (verified.state, verified.is_published) == (State.INACTIVE, False)
    assert served(site, world) == wanted(before)
    assert world.error_page == "objects/" + publish.manifest_of(before).entries["404.html"].hash + (
        "/404.html"
    )
    assert index_rows.is_named(before)


def test_between_the_decision_and_the_flip_the_rollback_wins(site, world, deploy, begin):
    before = deploy({"a.html": "1"})
    other = begin({"a.html": "2"})
    while other.phase != Phase.FLIP:
        operations.advance(other)
    rollback(site, before.number)
    finish(other)
    assert not other.is_published
    assert served(site, world) == wanted(before)


def test_what_cannot_be_published_is_said(site, world, deploy, begin):
    first, second = deploy({"a.html": "1"}), deploy({"a.html": "2"})
    failed, active = begin({"a.html": "3"}), begin({"a.html": "4"})
    operations.fail(failed, "Broken.")
    Deployment.objects.filter(pk=first.pk).update(pruned_at=timezone.now())
    for number, reason in {
        99: "no deployment #99",
        first.number: "given up",
        second.number: "live already",
        failed.number: "Broken",
        active.number: "under way",
    }.items():
        with pytest.raises(DeploymentRefused, match=reason):
            rollback(site, number)


def test_what_was_never_served_is_checked_at_the_edge_and_taken_back(
    site, world, deploy, monkeypatch
):
    monkeypatch.setattr(steps, "VERIFY_FOR", timedelta(0))
    before = deploy({"a.html": "1"})
    lane.lock(site, "Sale")
    ready = deploy({"a.html": "2"})
    again = rollback(site, ready.number)
    assert publish.served(site) == before
    again.claim(state=State.IN_PROGRESS)
    world.is_broken = True
    finish(again)
    assert (again.state, again.is_published) == (State.FAILURE, False)
    assert served(site, world) == wanted(before)


def test_where_aws_does_not_answer_it_is_recorded_and_made_later(site, world, deploy, monkeypatch):
    before, _ = deploy({"a.html": "1"}), deploy({"a.html": "2"})

    def refuse(**_: Any) -> None:
        raise ClientError({"Error": {"Code": "ServiceUnavailable"}}, "UpdateKeys")

    with monkeypatch.context() as down:
        down.setattr(world, "update_keys", refuse)
        assert rollback(site, before.number) == before
    assert publish.published(site) == before
    assert site in sites_with_unwritten_head()
    write_head(site)
    assert served(site, world) == wanted(before)
    assert site not in sites_with_unwritten_head()
