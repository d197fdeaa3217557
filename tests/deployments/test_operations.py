"""Outcomes of deployments: what the rows say is what is served, wherever a deployment ends."""

from __future__ import annotations

from itertools import islice
from typing import Any
from unittest import mock

import pytest
from django.utils import timezone

from cloudadmin.aws import ClientError
from deployments import operations, progress, steps
from deployments.edge import edge_index
from deployments.errors import DeploymentRefused
from deployments.models import Deployment, EdgeIndex, Event
from deployments.publish import manifest_of
from deployments.rollback import rollback, sites_with_unwritten_head
from deployments.signals import deployment_changed
from deployments.target import target_of
from sites.models import Site
from sites.models.lease import LeaseLost
from tests.deployments.world import finish, served, wanted
from tests.factories import DeploymentFactory
from tests.fakes import Killed

pytestmark = pytest.mark.django_db

State, Phase = Deployment.State, Deployment.Phase


def verifying(site: Site, number: int) -> Deployment:
    """A deployment that the head names already."""
    EdgeIndex.objects.create(site=site, head_release=number)
    deployment = DeploymentFactory(site=site, number=number, state=State.QUEUED, phase=Phase.VERIFY)
    assert deployment.claim(state=State.IN_PROGRESS)
    return deployment


def test_a_release_that_fails_after_its_flip_is_taken_back(site):
    DeploymentFactory(site=site, number=1, current=True)
    operations.fail(verifying(site, 2), "AWS went away.")
    assert EdgeIndex.objects.get(site=site).head_release == 1
    assert site in sites_with_unwritten_head()


def test_a_first_release_that_fails_leaves_nothing_served(site):
    operations.fail(verifying(site, 1), "AWS went away.")
    assert EdgeIndex.objects.get(site=site).head_release is None
    assert site in sites_with_unwritten_head()


def test_a_release_that_fails_before_its_flip_changes_nothing(site):
    DeploymentFactory(site=site, number=1, current=True)
    EdgeIndex.objects.create(site=site, head_release=1)
    operations.fail(DeploymentFactory(site=site, number=2, state=State.QUEUED), "Broken.")
    assert site not in sites_with_unwritten_head()


def test_who_gives_up_says_what_aws_refused_and_what_to_try(site, monkeypatch):
    answer: Any = {"Error": {"Code": "AccessDenied", "Message": "Not allowed."}}
    refuse = mock.create_autospec(steps.verify, side_effect=ClientError(answer, "UpdateKeys"))
    monkeypatch.setitem(operations.STEPS, Phase.VERIFY, refuse)
    deployment = verifying(site, 1)
    deployment.release()
    while operations.resume(deployment.pk) is not None:
        pass
    deployment.refresh_from_db()
    assert deployment.state == State.ERROR
    assert deployment.error_message == (
        "Stopped after five attempts. AWS refused UpdateKeys: AccessDenied: Not allowed. "
        "Try: Give the account's role the permission that AWS names."
    )


# --- The upload -----------------------------------------------------------------------------------


def test_an_upload_that_died_fails_and_what_it_sent_is_not_sent_again(
    site, world, begin, monkeypatch
):
    files = {f"{number}.html": str(number) for number in range(9)}

    def dies(bucket, root, entries, *, injects, on_progress):
        world.upload(bucket, root, dict(islice(entries.items(), 4)))
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(operations, "upload_objects", dies)
        with pytest.raises(Killed):
            begin(files)
    dead = Deployment.objects.get(site=site)
    Deployment.objects.update(lease_until=timezone.now())
    assert operations.resume(dead.pk) is None
    dead.refresh_from_db()
    assert dead.state == State.FAILURE
    assert "not sent twice" in dead.error_message
    finish(following := begin(files))
    assert (following.uploaded, following.unchanged) == (6, 4)
    assert following.state == State.SUCCESS


def test_sums_and_times_are_written(site, world, begin):
    finish(deployment := begin({"a.html": "12345"}))
    deployment.refresh_from_db()
    assert (deployment.objects_total, deployment.bytes_total) == (2, 10)
    assert (deployment.uploaded, deployment.bytes) == (2, 10)
    assert {"upload", "index", "flip", "verify"} <= deployment.timings.keys()


def test_sums_are_written_every_second_and_a_cancellation_is_heard(site, monkeypatch):
    monkeypatch.setattr(progress, "TELL_EVERY_SECONDS", 0.0)
    deployment = DeploymentFactory(site=site, state=State.QUEUED, phase=Phase.UPLOAD)
    deployment.claim(state=State.IN_PROGRESS)
    watch = progress.Watch(deployment, lambda files, sent: None)
    watch(3, 300)
    deployment.refresh_from_db()
    assert (deployment.uploaded, deployment.bytes) == (3, 300)
    Deployment.objects.update(cancel_requested=True)
    with pytest.raises(progress.Cancelled):
        watch(4, 400)
    Deployment.objects.update(fence=99)
    with pytest.raises(LeaseLost):
        watch(5, 500)


def test_an_upload_that_is_cancelled_ends_and_leaves_what_it_sent(site, world, begin, monkeypatch):
    def cancelled(store, root, entries, *, injects, on_progress):
        operations.request_cancel(Deployment.objects.get(site=site))
        on_progress(0, 0)

    monkeypatch.setattr(progress, "TELL_EVERY_SECONDS", 0.0)
    monkeypatch.setattr(operations, "upload_objects", cancelled)
    with pytest.raises(progress.Cancelled):
        begin({})
    row = Deployment.objects.get(site=site)
    assert (row.state, row.phase) == (State.INACTIVE, Phase.UPLOAD)


def test_an_upload_is_its_uploaders_until_that_dies_or_never_comes(site):
    deployment = DeploymentFactory(site=site, state=State.QUEUED, phase=Phase.SOURCE)
    assert operations.resume(deployment.pk) is None
    deployment.refresh_from_db()
    assert deployment.state == State.QUEUED
    Deployment.objects.update(created_at=timezone.now() - operations.ABANDONED)
    assert operations.resume(deployment.pk) is None
    deployment.refresh_from_db()
    assert deployment.state == State.FAILURE


def test_what_the_edge_has_no_room_for_is_refused_before_the_upload(
    site, world, begin, monkeypatch
):
    monkeypatch.setattr(edge_index, "MAX_STORE", 300)
    with pytest.raises(DeploymentRefused, match="Nothing was uploaded: .* KeyValueStore"):
        begin({f"{number}.html": "" for number in range(40)})
    assert not world.objects.list().collect()


# --- What changes nothing -------------------------------------------------------------------------


def test_a_deployment_that_changes_nothing_makes_no_call(site, world, deploy):
    deploy({"a.html": "a"})
    before = world.writes
    again = deploy({"a.html": "a"})
    assert (again.state, again.is_published, again.uploaded) == (State.SUCCESS, True, 0)
    assert world.writes == before
    changed = deploy({"a.html": "b"})
    assert (
        world.answer(target_of(site).hosts[0], "a.html")
        == manifest_of(changed).entries["a.html"].hash
    )
    assert rollback(site) == again
    assert served(site, world) == wanted(again)


def test_the_same_key_gives_the_same_deployment(site):
    first = operations.create(site, "x", idempotency_key="one")
    assert operations.create(site, "y", idempotency_key="one") == first
    assert operations.create(site, "z", idempotency_key="two").number == 2


# --- Cancel ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("phase", [Phase.SOURCE, Phase.UPLOAD, Phase.QUEUE, Phase.SETTLE])
def test_what_nobody_holds_is_cancelled_at_once(site, phase):
    deployment = DeploymentFactory(site=site, state=State.IN_PROGRESS, phase=phase)
    operations.request_cancel(deployment)
    assert (deployment.state, deployment.error_message) == (State.INACTIVE, progress.CANCELLED)
    with pytest.raises(DeploymentRefused, match="ended already"):
        operations.request_cancel(deployment)


@pytest.mark.parametrize("steps_before", [0, 1, 2])
def test_who_holds_it_ends_it_before_the_flip(site, world, begin, steps_before):
    deployment = begin({})
    for _ in range(steps_before):
        assert operations.advance(deployment) is not None
    operations.request_cancel(Deployment.objects.get(pk=deployment.pk))
    if steps_before:
        assert operations.advance(deployment) is None
    else:
        with pytest.raises(LeaseLost):
            finish(deployment)
    deployment.refresh_from_db()
    assert deployment.state == State.INACTIVE
    assert world.flips == 0


def test_after_the_flip_it_is_too_late(site, world, begin):
    deployment = begin({})
    while deployment.phase != Phase.VERIFY:
        operations.advance(deployment)
        if deployment.phase in (Phase.FLIP, Phase.VERIFY):
            with pytest.raises(DeploymentRefused, match="too late"):
                operations.request_cancel(Deployment.objects.get(pk=deployment.pk))
    finish(deployment)
    assert deployment.is_published


# --- Who is told ----------------------------------------------------------------------------------


def test_who_listens_hears_of_the_start_and_the_end(
    site, world, deploy, django_capture_on_commit_callbacks
):
    heard: list[tuple[int, str]] = []

    def listen(sender, deployment, event, **_):
        heard.append((deployment.number, event))

    deployment_changed.connect(listen)
    try:
        with django_capture_on_commit_callbacks(execute=True):
            deploy({"a.html": "a"})
        with django_capture_on_commit_callbacks(execute=True):
            operations.request_cancel(operations.create(site, "x"))
    finally:
        deployment_changed.disconnect(listen)
    assert heard == [
        (1, Event.STARTED),
        (1, Event.SUCCEEDED),
        (2, Event.STARTED),
        (2, Event.FAILED),
    ]
