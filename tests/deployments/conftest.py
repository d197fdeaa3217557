"""A site with its deployments in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from deployments import access, operations, rollback
from deployments import manifest as manifests
from deployments.edge import verification
from deployments.models import Deployment
from sites.models import Site
from tests.deployments.receiver import Receiver, receiving
from tests.deployments.world import World
from tests.factories import SiteFactory

Deploy = Callable[..., Deployment]


@pytest.fixture
def site() -> Site:
    return SiteFactory(live=True, serving=True)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch, settings) -> World:
    """AWS and the edge, in memory; the index settles at once."""
    world = World()
    settings.CLOUDADMIN_SETTLE_SECONDS = 0.0
    for module in (operations, rollback, access):
        monkeypatch.setattr(module, "clients_for", lambda account: world)
    monkeypatch.setattr(operations, "upload_objects", world.upload)
    monkeypatch.setattr(verification, "check", world.check)
    return world


@pytest.fixture
def begin(site: Site, tmp_path: Path) -> Deploy:
    """Upload files as a new deployment, held by us; it waits for its turn then."""

    def begin(files: dict[str, str], **options: Any) -> Deployment:
        root = tmp_path / str(Deployment.objects.count())
        for path, content in {"index.html": "start", **files}.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(content)
        deployment = operations.create(site, "folder", **options)
        assert deployment.claim(state=Deployment.State.IN_PROGRESS)
        operations.upload(deployment, manifests.build(root), root, lambda files, sent: None)
        return deployment

    return begin


@pytest.fixture
def deploy(world: World, begin: Deploy) -> Deploy:
    """A deployment from its files to its end."""

    def deploy(files: dict[str, str], **options: Any) -> Deployment:
        deployment = begin(files, **options)
        operations.finish(deployment, lambda seconds: None)
        return deployment

    return deploy


@pytest.fixture
def receiver(settings) -> Iterator[Receiver]:
    """A server of others; webhooks may reach this machine."""
    settings.CLOUDADMIN_WEBHOOK_NETWORKS = ["127.0.0.0/8"]
    with receiving() as running:
        yield running
