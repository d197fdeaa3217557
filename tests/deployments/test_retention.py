"""What is given up, and when its objects go."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from deployments import access, retention
from deployments.manifest import Entry, Manifest
from deployments.models import Deployment, EdgeIndex
from sites.models import Site
from tests.deployments.store import Store
from tests.factories import DeploymentFactory, SiteFactory
from tests.fakes import Killed

State = Deployment.State
LONG_AGO = timedelta(days=60)


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Store:
    store = Store()
    monkeypatch.setattr(retention, "clients_for", lambda account: store)
    return store


@pytest.fixture
def site(db: None) -> Site:
    site = SiteFactory(live=True, serving=True, name="blog")
    EdgeIndex.objects.create(site=site)
    access.keep(site, keep_deployments=2, keep_days=30)
    return site


def old(site: Site, number: int, *paths: str, **fields: Any) -> Deployment:
    """Ended long ago. The content of a path is its name."""
    entries = {path: Entry(path, 1_000, "text/html", "no-cache") for path in paths}
    deployment: Deployment = DeploymentFactory(
        site=site, number=number, manifest=Manifest(entries).to_bytes(), **fields
    )
    Deployment.objects.filter(pk=deployment.pk).update(created_at=timezone.now() - LONG_AGO)
    return deployment


def keys(*paths: str) -> set[str]:
    entries = {path: Entry(path, 1_000, "text/html", "no-cache") for path in paths}
    return Manifest(entries).object_keys()


def given_up(site: Site, **ago: float) -> None:
    rows = Deployment.objects.filter(site=site, pruned_at__isnull=False)
    rows.update(pruned_at=timezone.now() - timedelta(**ago))


def test_the_last_few_stay_and_what_is_young_or_served(site):
    before = timezone.now() - LONG_AGO
    for number in range(1, 5):
        old(site, number, published_at=before + timedelta(hours=number))
    old(site, 5, is_published=True, published_at=before)
    old(site, 6, is_previewed=True, label="main")
    old(site, 7, state=State.QUEUED, phase=Deployment.Phase.QUEUE)
    old(site, 8, state=State.FAILURE)
    DeploymentFactory(site=site, number=9, state=State.FAILURE)
    EdgeIndex.objects.filter(site=site).update(heads={"a.example": '{"r":"0001"}'})
    assert retention.prune(site) == [8, 2]
    assert retention.prune(site) == []


def test_objects_go_when_nothing_needs_them_and_the_grace_time_is_over(site, store):
    old(site, 1, "a", "b", state=State.FAILURE)
    old(site, 2, "b", "c", is_published=True, published_at=timezone.now())
    store.objects = keys("a", "b", "c")
    assert retention.prune(site) == [1]
    assert retention.sweep(site) == retention.Swept()
    given_up(site, hours=25)
    space = retention.space(site)
    assert (space.bytes, space.objects, space.reclaimable) == (3_000, 3, 1_000)
    assert space.monthly_cost == Decimal("0.023") * 3_000 / 10**9
    assert retention.sweep(site) == retention.Swept(objects=1, deployments=1)
    assert store.objects == keys("b", "c")
    assert retention.space(site).bytes == 2_000
    gone = Deployment.objects.get(number=1)
    assert bytes(gone.manifest) == b""
    assert gone.objects_deleted_at
    assert retention.sweep(site) == retention.Swept()


def test_manifests_are_read_once_after_each_change(site, store, django_assert_num_queries):
    old(site, 1, "a", state=State.FAILURE)
    running = old(site, 2, state=State.IN_PROGRESS, phase=Deployment.Phase.UPLOAD)
    before = retention.space(site)
    with django_assert_num_queries(1):
        assert retention.space(site) == before
    entries = {"b": Entry("b", 500, "text/html", "no-cache")}
    Deployment.objects.filter(pk=running.pk).update(manifest=Manifest(entries).to_bytes())
    assert retention.space(site).bytes == 1_500
    assert retention.prune(site) == [1]
    assert retention.space(site).reclaimable == 1_000
    with django_assert_num_queries(1):
        assert retention.space(site).reclaimable == 1_000
    Deployment.objects.get(number=1).delete()
    assert retention.space(site).bytes == 500


def test_the_grace_time_is_an_hour_at_least(site, store):
    access.keep(site, delete_after_hours=0)
    old(site, 1, "a", state=State.FAILURE)
    retention.prune(site)
    given_up(site, minutes=50)
    assert retention.sweep(site) == retention.Swept()
    given_up(site, minutes=70)
    assert retention.sweep(site).objects == 1


def test_nothing_is_deleted_while_something_is_under_way(site, store):
    old(site, 1, "a", state=State.FAILURE)
    retention.prune(site)
    given_up(site, hours=25)
    store.objects = keys("a")
    running = DeploymentFactory(
        site=site, number=2, state=State.IN_PROGRESS, phase=Deployment.Phase.UPLOAD
    )
    assert "#2 is under way" in retention.sweep(site).waits_for
    Deployment.objects.filter(pk=running.pk).update(state=State.FAILURE)
    EdgeIndex.objects.filter(site=site).update(is_head_written=False)
    assert "not been told" in retention.sweep(site).waits_for
    assert store.objects == keys("a")


def test_a_deployment_that_begins_in_between_stops_it(site, store, monkeypatch):
    old(site, 1, *(f"{n}" for n in range(1500)), state=State.FAILURE)
    retention.prune(site)
    given_up(site, hours=25)
    delete_objects = store.delete_objects

    def and_meanwhile(**arguments: Any) -> Any:
        DeploymentFactory(site=site, number=2)
        return delete_objects(**arguments)

    monkeypatch.setattr(store, "delete_objects", and_meanwhile)
    swept = retention.sweep(site)
    assert swept.objects == 1000
    assert "other deployments" in swept.waits_for
    assert not Deployment.objects.get(number=1).objects_deleted_at
    monkeypatch.undo()
    monkeypatch.setattr(retention, "clients_for", lambda account: store)
    assert retention.sweep(site).deployments == 1


def test_killed_anywhere_it_goes_on(site, store):
    old(site, 1, *(f"{n}" for n in range(1500)), state=State.FAILURE)
    retention.prune(site)
    given_up(site, hours=25)
    store.objects, store.dies = keys(*(f"{n}" for n in range(1500))), True
    with pytest.raises(Killed):
        retention.sweep(site)
    store.dies = False
    assert retention.sweep(site).deployments == 1
    assert store.objects == set()


def test_what_s3_keeps_is_told_and_tried_again(site, store, monkeypatch):
    old(site, 1, "a", state=State.FAILURE)
    retention.prune(site)
    given_up(site, hours=25)
    said = {"Errors": [{"Key": "a", "Code": "InternalError", "Message": "Try again."}]}
    monkeypatch.setattr(store, "delete_objects", lambda **_: said)
    with pytest.raises(CommandError, match="InternalError"):
        call_command("prune_deployments", "blog")
    retention.tidy_all()
    assert not Deployment.objects.get(number=1).objects_deleted_at


def test_the_command_says_what_it_would_do(site, store, capsys):
    old(site, 1, "a", state=State.FAILURE)
    call_command("prune_deployments", "blog", "--dry-run")
    out = capsys.readouterr().out
    assert "Would give up: #1" in out
    assert "1000 bytes in 1 objects" in out
    assert not Deployment.objects.get(number=1).pruned_at
    call_command("prune_deployments", "blog", "--keep", "3", "--days", "90")
    assert "Given up: nothing" in capsys.readouterr().out
    assert access.settings_of(site).keep_deployments == 3
    retention.tidy_all()
