"""A deployment from request to outcome.

create      the row, with the next number; one deployment per site at a time
upload      the objects that are missing (needs the files; runs where they are)
advance     the rest, step by step: index -> settle -> flip -> verify; needs only the row, so
            any worker can finish what another one left
rollback    one flip, no upload
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import transaction
from django.db.models import Max, QuerySet
from django.utils import timezone

from cloudadmin.aws import BotoCoreError, ClientError, Clients
from deployments import index_rows, publish
from deployments import manifest as manifests
from deployments.edge_index import DigestCollision, IndexFull
from deployments.errors import DeploymentRefused
from deployments.manifest import Manifest
from deployments.models import Deployment
from deployments.target import Target, target_of
from deployments.upload import upload as upload_objects
from sites.access import clients_for
from sites.models import Site

if TYPE_CHECKING:
    from django.contrib.auth.models import User

logger = logging.getLogger(__name__)

State, Phase = Deployment.State, Deployment.Phase
# Manifests whose objects are known to be in the bucket; more would cost more to read than to send.
MANIFESTS_COMPARED = 5
MAX_ATTEMPTS = 5
VERIFY_FOR = timedelta(seconds=60)
VERIFY_EVERY = 0.25


def create(
    site: Site, source: str, *, message: str = "", creator: User | None = None
) -> Deployment:
    """The row of a new deployment. Refused while another one is under way."""
    target_of(site)
    with transaction.atomic():
        Site.objects.select_for_update().get(pk=site.pk)
        refuse_while_under_way(site)
        last = Deployment.objects.filter(site=site).aggregate(last=Max("number"))["last"]
        return Deployment.objects.create(
            site=site,
            number=(last or 0) + 1,
            source=source[:500],
            description=message[:500],
            creator=creator,
        )


def refuse_while_under_way(site: Site) -> None:
    active = Deployment.objects.filter(site=site, state__in=Deployment.ACTIVE).first()
    if active is not None:
        raise DeploymentRefused(
            f"Deployment #{active.number} of {site.name} is under way; try again when it is done. "
            "If its process died, it is taken back by itself within a minute.",
            try_again=True,
        )


def upload(
    deployment: Deployment, manifest: Manifest, root: Path, on_progress: Callable[[int, int], None]
) -> None:
    """Send the objects that the bucket does not have; the caller holds the deployment."""
    site = deployment.site
    target = target_of(site)
    missing = missing_objects(site, manifest)
    store = clients_for(site.account).object_store(target.bucket_name)
    done = upload_objects(store, root, missing, on_progress=on_progress)
    before = published_manifest(site)
    deployment.write(
        phase=Phase.INDEX,
        manifest=manifest.to_bytes(),
        files=len(manifest.entries),
        uploaded=done.objects,
        bytes=done.bytes,
        unchanged=len(manifest.entries) - done.objects,
        deleted=len(before.entries.keys() - manifest.entries.keys()),
    )


def missing_objects(site: Site, manifest: Manifest) -> dict[str, manifests.Entry]:
    """Entries whose object no earlier deployment has uploaded. No request is made for this."""
    known: set[str] = set()
    uploaded = Deployment.objects.filter(site=site).exclude(phase=Phase.UPLOAD)
    for row in uploaded.order_by("-number").only("manifest")[:MANIFESTS_COMPARED]:
        known |= Manifest.from_bytes(bytes(row.manifest)).object_keys()
    return {
        path: entry
        for path, entry in manifest.entries.items()
        if manifests.object_key(path, entry) not in known
    }


def published(site: Site) -> Deployment | None:
    return Deployment.objects.filter(site=site, is_published=True).first()


def published_manifest(site: Site) -> Manifest:
    row = published(site)
    return Manifest.from_bytes(bytes(row.manifest)) if row else Manifest({})


def advance(deployment: Deployment) -> float | None:
    """Make the next step; the seconds to wait before the one after it, None at the end.

    The caller holds the deployment. Every step can be repeated: a crash anywhere is continued.
    """
    site = deployment.site
    clients = clients_for(site.account)
    steps: dict[str, Callable[[Deployment, Target, Clients], float | None]] = {
        Phase.INDEX: _index,
        Phase.SETTLE: _settle,
        Phase.FLIP: _flip,
        Phase.VERIFY: _verify,
    }
    return steps[deployment.phase](deployment, target_of(site), clients)


def finish(deployment: Deployment, pause: Callable[[float], None]) -> None:
    """All the steps that are left, for who holds the deployment and can wait in between."""
    while (seconds := advance(deployment)) is not None:
        pause(seconds)


def resume(pk: int) -> float | None:
    """A worker's way in: claim what nobody holds, make one step, let go."""
    deployment = (
        Deployment.objects.select_related("site__account")
        .filter(pk=pk, state__in=Deployment.ACTIVE)
        .first()
    )
    if deployment is None or not deployment.claim(state=State.IN_PROGRESS):
        return None
    if deployment.phase == Phase.UPLOAD:
        fail(
            deployment,
            "The process that uploaded the files ended before it was done. Nothing was published; "
            "deploy again.",
        )
        return None
    if deployment.attempts > MAX_ATTEMPTS:
        fail(deployment, "Stopped after five attempts.", state=State.ERROR)
        return None
    try:
        with deployment.heartbeat():
            pause = advance(deployment)
    except (ClientError, BotoCoreError) as error:
        deployment.release(attempts=deployment.attempts + 1, error_message=str(error))
        return 5.0
    except (IndexFull, DigestCollision, DeploymentRefused) as error:
        fail(deployment, str(error))
        return None
    if pause is not None:
        deployment.release()
    return pause


def due() -> QuerySet[Deployment]:
    """Deployments that are under way and that nobody holds: what beat re-queues."""
    stale = timezone.now() - timedelta(seconds=30)
    return Deployment.unclaimed().filter(state__in=Deployment.ACTIVE, created_at__lt=stale)


def fail(deployment: Deployment, message: str, state: str = State.FAILURE) -> None:
    """The end of it; beat flips back what a head may name already."""
    with transaction.atomic():
        deployment.release(state=state, error_message=message, finished_at=timezone.now())
        index_rows.unname(deployment)


def _index(deployment: Deployment, target: Target, clients: Clients) -> float:
    """The records first: harmless, no head reaches them yet."""
    site = deployment.site
    manifest = Manifest.from_bytes(bytes(deployment.manifest))
    index_rows.prepare(deployment, manifest)
    written = index_rows.write(site, clients, target.store_arn)
    settle: float = settings.CLOUDADMIN_SETTLE_SECONDS if written else 0.0
    deployment.write(phase=Phase.SETTLE, phase_until=timezone.now() + timedelta(seconds=settle))
    return settle


def _settle(deployment: Deployment, target: Target, clients: Clients) -> float:
    left = (deployment.phase_until or timezone.now()) - timezone.now()
    if left > timedelta(0):
        return left.total_seconds()
    deployment.write(phase=Phase.FLIP)
    return 0.0


def _flip(deployment: Deployment, target: Target, clients: Clients) -> float:
    manifest = Manifest.from_bytes(bytes(deployment.manifest))
    publish.put_error_page(manifest, target, clients)
    index_rows.name_head(deployment.site, deployment.release_number)
    publish.flip(deployment.site, target, clients)
    deployment.write(phase=Phase.VERIFY, phase_until=timezone.now() + VERIFY_FOR)
    return 0.0


def _verify(deployment: Deployment, target: Target, clients: Clients) -> float | None:
    """Ask the edge. The first answers may be of the release before: it takes a moment to arrive."""
    site = deployment.site
    manifest = Manifest.from_bytes(bytes(deployment.manifest))
    diff = manifests.diff(published_manifest(site), manifest)
    changed = {*diff.added, *diff.changed}
    mismatch = publish.check(target.hosts[0], publish.sample(manifest.entries, changed))
    if mismatch is None:
        before = published(site)
        with transaction.atomic():
            deployment.release(phase=Phase.DONE, finished_at=timezone.now(), error_message="")
            mark_published(deployment)
        if before is not None:
            index_rows.drop_generations_before(before.generation, site, clients, target.store_arn)
        return None
    if deployment.phase_until and timezone.now() < deployment.phase_until:
        return VERIFY_EVERY
    _take_back(deployment, target, clients)
    fail(
        deployment,
        f"Taken back: “{mismatch.path}” was not what was deployed; {mismatch.reason}.",
    )
    return None


def _take_back(deployment: Deployment, target: Target, clients: Clients) -> None:
    site = deployment.site
    index_rows.unname(deployment)
    publish.flip(site, target, clients)
    before = published(site)
    if before is not None:
        publish.put_error_page(Manifest.from_bytes(bytes(before.manifest)), target, clients)


def mark_published(deployment: Deployment) -> None:
    with transaction.atomic():
        Deployment.objects.filter(site=deployment.site, is_published=True).exclude(
            pk=deployment.pk
        ).update(is_published=False, state=State.INACTIVE)
        deployment.is_published = True
        deployment.state = State.SUCCESS
        deployment.published_at = timezone.now()
        deployment.save(update_fields=["is_published", "state", "published_at"])
