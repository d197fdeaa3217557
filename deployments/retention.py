"""Which deployments are kept, and when the objects of the others go.

A deployment that is given up (``prune``) cannot be published again. Its objects stay for a grace
time, since a point of presence may still serve them, and are deleted (``sweep``) when nothing that
is kept needs them. What the bucket holds is known from manifests: it is never listed.

Deletions happen under the lock of the site's row and only while nothing is under way. So whoever
begins a deployment afterwards finds the manifests without what is gone, and sends it again.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django.core.cache import caches
from django.db.models import Count, Max, Q, QuerySet, Sum
from django.db.models.functions import Length
from django.utils import timezone

from cloudadmin.aws import BotoCoreError, ClientError
from deployments import access
from deployments.edge import edge_index, head_rules, index_rows
from deployments.errors import DeploymentRefused
from deployments.manifest import Manifest, object_key
from deployments.models import Deployment, DeploymentEvent, EdgeIndex, IndexBucket
from deployments.progress import deciding
from deployments.target import target_of
from sites.access import clients_for
from sites.models import Site

if TYPE_CHECKING:
    from cloudadmin.aws import Clients

logger = logging.getLogger(__name__)

# https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html
AT_ONCE = 1_000
# Never at once: a point of presence may have the head before.
SHORTEST_GRACE = timedelta(hours=1)
GIGABYTE = 1_000_000_000
# S3 Standard in us-east-1. https://aws.amazon.com/s3/pricing/
MONTHLY_PER_GIGABYTE = Decimal("0.023")


@dataclass(frozen=True)
class Space:
    """What a site's objects take in the bucket: bytes, and dollars a month.

    ``reclaimable`` are the bytes that go when what is given up is deleted.
    """

    bytes: int
    objects: int
    monthly_cost: Decimal
    reclaimable: int


@dataclass(frozen=True)
class Swept:
    """``waits_for`` says why there is more to delete than was."""

    objects: int = 0
    deployments: int = 0
    waits_for: str = ""


class SweepFailed(Exception):
    """S3 kept some objects; its own words."""


def prunable(site: Site) -> QuerySet[Deployment]:
    """What may be given up: neither served, nor under way, nor young, nor one of the last few that
    were published."""
    row = access.settings_of(site)
    published = Deployment.objects.filter(site=site, published_at__isnull=False)
    last = published.order_by("-published_at").values_list("pk", flat=True)
    index = EdgeIndex.objects.filter(site=site).first()
    named = map(head_rules.release_of, head_rules.hosts(index).values()) if index else ()
    return (
        Deployment.objects.filter(
            site=site,
            pruned_at__isnull=True,
            is_published=False,
            is_previewed=False,
            created_at__lt=timezone.now() - timedelta(days=row.keep_days),
        )
        .exclude(state__in=Deployment.ACTIVE)
        .exclude(pk__in=list(last[: row.keep_deployments]))
        .exclude(release_number__in=[n for n in named if n is not None])
        .exclude(release_number__in=[index.head_release] if index and index.head_release else [])
    )


def prune(site: Site) -> list[int]:
    """Give up what nobody will go back to; the numbers, the newest first."""
    with deciding(site):
        going = list(prunable(site).defer("manifest"))
        index_rows.forget(site, going)
        pks = [deployment.pk for deployment in going]
        Deployment.objects.filter(pk__in=pks).update(pruned_at=timezone.now())
    return [deployment.number for deployment in going]


def sweep(site: Site) -> Swept:
    """Delete the objects that only deployments need that were given up a while ago.

    Killed anywhere, it goes on at the next call: a deployment counts as deleted when the last of
    its objects is. Raises SweepFailed, and what AWS says.
    """
    target, clients = target_of(site), clients_for(site.account)
    moment = _moment(site)
    going = list(_due(site).values_list("pk", flat=True))
    if not going:
        return Swept()
    keys = sorted(_objects(Deployment.objects.filter(pk__in=going)).keys() - _needed(site, going))
    for start in range(0, len(keys), AT_ONCE):
        with deciding(site):
            if because := _stopped_because(site, moment):
                return Swept(objects=start, waits_for=because)
            _delete(clients, target.bucket_name, keys[start : start + AT_ONCE])
    with deciding(site):
        if because := _stopped_because(site, moment):
            return Swept(objects=len(keys), waits_for=because)
        DeploymentEvent.objects.filter(deployment__in=going).delete()
        Deployment.objects.filter(pk__in=going).update(
            manifest=b"", objects_deleted_at=timezone.now()
        )
    return Swept(objects=len(keys), deployments=len(going))


def tidy_all() -> None:
    """For beat: give up and delete, site by site; where AWS does not answer, the next time."""
    sites = Site.objects.select_related("account").exclude(state=Site.State.DESTROYING)
    kept = Deployment.objects.filter(objects_deleted_at__isnull=True)
    for site in sites.filter(pk__in=kept.values("site")):
        prune(site)
        try:
            sweep(site)
        except (ClientError, BotoCoreError, SweepFailed, DeploymentRefused) as error:
            logger.warning("old objects of %s stay for now: %s", site.name, error)


def space(site: Site) -> Space:
    """From the manifests alone; those that are kept are read once after each change."""
    key, change = f"space-{site.pk}", _newest_change(site)
    cache = caches["process"]
    known: tuple[dict[str, Any], Space] | None = cache.get(key)
    if known and known[0] == change:
        return known[1]
    found = _added_up(site)
    cache.set(key, (change, found), timeout=None)
    return found


def _newest_change(site: Site) -> dict[str, Any]:
    """What is another when manifests come or go, or are given up; PostgreSQL reads none for it."""
    return Deployment.objects.filter(site=site).aggregate(
        Max("pk"),
        Max("finished_at"),
        Max("pruned_at"),
        Count("pruned_at"),
        Max("objects_deleted_at"),
        bytes=Sum(Length("manifest")),
    )


def _added_up(site: Site) -> Space:
    pruned = Deployment.objects.filter(site=site, pruned_at__isnull=False)
    kept = _objects(Deployment.objects.filter(site=site, pruned_at__isnull=True))
    given_up = _objects(pruned.filter(objects_deleted_at__isnull=True))
    reclaimable = sum(size for key, size in given_up.items() if key not in kept)
    total = sum(kept.values()) + reclaimable
    return Space(
        bytes=total,
        objects=len(kept.keys() | given_up.keys()),
        monthly_cost=MONTHLY_PER_GIGABYTE * total / GIGABYTE,
        reclaimable=reclaimable,
    )


def _due(site: Site) -> QuerySet[Deployment]:
    grace = timedelta(hours=access.settings_of(site).delete_after_hours)
    return Deployment.objects.filter(
        site=site,
        pruned_at__lte=timezone.now() - max(grace, SHORTEST_GRACE),
        objects_deleted_at__isnull=True,
    )


def _needed(site: Site, going: list[int]) -> set[str]:
    """Keys that something else may be asked for."""
    others = Deployment.objects.filter(site=site).exclude(pk__in=going)
    return {key for manifest in _manifests(others) for key in manifest.object_keys()} | {
        *_graced(site)
    }


def _graced(site: Site) -> Iterator[str]:
    """Files that open pages may still ask for are in the index, and in no manifest."""
    row = EdgeIndex.objects.filter(site=site).first()
    if row is None:
        return
    owners = {path: edge_index.digest(path) for path in row.graced}
    buckets = {edge_index.bucket_of(owner, row.buckets) for owner in owners.values()}
    values = IndexBucket.objects.filter(
        index=row, generation=row.generation, number__in=buckets
    ).values_list("number", "value")
    index = edge_index.Index(row.generation, row.buckets, dict(values))
    for path, owner in owners.items():
        for release in {*row.reachable, row.head_release} - {None}:
            if object_hash := edge_index.answer(index, owner, release):
                yield f"objects/{object_hash}/{path}"


def _objects(deployments: QuerySet[Deployment]) -> dict[str, int]:
    """Key -> size."""
    return {
        object_key(path, entry): entry.size
        for manifest in _manifests(deployments)
        for path, entry in manifest.entries.items()
    }


def _manifests(deployments: QuerySet[Deployment]) -> Iterator[Manifest]:
    """One in memory at a time."""
    stored = deployments.exclude(manifest=b"").values_list("manifest", flat=True)
    for raw in stored.iterator(chunk_size=1):
        yield Manifest.from_bytes(bytes(raw))


def _moment(site: Site) -> tuple[int, int]:
    """What changes when a deployment begins, or is given up; nothing else makes objects needed."""
    found = Deployment.objects.filter(site=site).aggregate(
        last=Max("number"), kept=Count("pk", filter=Q(pruned_at__isnull=True))
    )
    return found["last"] or 0, found["kept"]


def _stopped_because(site: Site, moment: tuple[int, int]) -> str:
    """Why nothing may be deleted now; stays true as long as the caller has the site's lock."""
    active = Deployment.objects.filter(site=site, state__in=Deployment.ACTIVE).first()
    if active is not None:
        return f"Deployment #{active.number} is under way; what it needs is known when it is done."
    if _moment(site) != moment:
        return "There are other deployments than when it began; it begins anew."
    if EdgeIndex.objects.filter(site=site, is_head_written=False).exists():
        return "The edge has not been told yet what is served."
    return ""


def _delete(clients: Clients, bucket_name: str, keys: list[str]) -> None:
    answer = clients.s3.delete_objects(
        Bucket=bucket_name, Delete={"Objects": [{"Key": key} for key in keys], "Quiet": True}
    )
    for error in answer.get("Errors", []):
        raise SweepFailed(
            f"S3 kept {len(answer['Errors'])} objects; of {error.get('Key')} it says "
            f"{error.get('Code')}: {error.get('Message')}"
        )
