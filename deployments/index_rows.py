"""The edge index of a site: pure ``edge_index`` here, rows and the KeyValueStore there.

Rows are committed before the call that writes them, so what we know is always a superset of what
the edge may answer: a killed deploy leaves no record that the next one does not take into account.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from cloudadmin.aws import ClientError, Clients, error_code
from deployments import edge_index
from deployments.manifest import Manifest, survives
from deployments.models import Deployment, EdgeIndex, IndexBucket

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sites.models import Site

# How long a file that a page of an earlier release may still ask for stays (DESIGN section 5).
GRACE = timedelta(days=7)


def prepare(deployment: Deployment, manifest: Manifest) -> None:
    """Commit the records of the deployment's release, unwritten. Running it again adds nothing.

    Raises IndexFull and DigestCollision, whose messages are for people.
    """
    site = deployment.site
    with transaction.atomic():
        row, _ = EdgeIndex.objects.select_for_update().get_or_create(site=site)
        number = deployment.release_number or _next_release(site)
        kept = _graced(row, deployment, manifest)
        served = [row.head_release] if row.head_release else []
        change = edge_index.append(
            _index_of(row),
            number,
            {path: entry.hash for path, entry in manifest.entries.items()},
            keep=kept,
            reachable=served,
            if_room=[number for number in row.reachable if number not in served],
        )
        row.generation, row.buckets = change.index.generation, change.index.buckets
        row.reachable = sorted(change.reachable, reverse=True)
        row.graced = kept
        row.save()
        deployment.write(generation=row.generation, release_number=number)
        IndexBucket.objects.bulk_create(
            [
                IndexBucket(
                    index=row, generation=generation, number=number, value=value, is_written=False
                )
                for (generation, number), value in _by_row(change.puts).items()
            ],
            update_conflicts=True,
            unique_fields=["index", "generation", "number"],
            update_fields=["value", "is_written"],
            batch_size=1000,
        )


def write(site: Site, clients: Clients, store_arn: str) -> int:
    """Send every row that the store does not have yet, at most 50 keys a call; how many."""
    pending = IndexBucket.objects.filter(index__site=site, is_written=False)
    puts = {
        edge_index.bucket_key(bucket.generation, bucket.number): bucket.value for bucket in pending
    }
    sent = [bucket.pk for bucket in pending]
    for batch in edge_index.batches(puts):
        update_keys(clients, store_arn, batch)
    IndexBucket.objects.filter(pk__in=sent).update(is_written=True)
    return len(sent)


def name_head(site: Site, number: int | None) -> None:
    """Record which release shall be served, before any call: beat flips what a crash leaves."""
    EdgeIndex.objects.filter(site=site).update(head_release=number, is_head_written=False)


def unname(deployment: Deployment) -> None:
    """Record that not this release shall be served but the published one, or none."""
    if deployment.release_number is None:
        return
    site = deployment.site
    published = Deployment.objects.filter(site=site, is_published=True).first()
    EdgeIndex.objects.filter(site=site, head_release=deployment.release_number).update(
        head_release=published.release_number if published else None, is_head_written=False
    )


def can_name(deployment: Deployment) -> bool:
    """Whether the index still answers for its release, so that going back to it is one flip."""
    reachable = EdgeIndex.objects.get(site_id=deployment.site_id).reachable
    return deployment.release_number in reachable


def drop_generations_before(generation: int, site: Site, clients: Clients, store_arn: str) -> None:
    """Delete keys that no head names any more. The one before the current stays for a deployment:
    a point of presence may still have the old head."""
    old = IndexBucket.objects.filter(index__site=site, generation__lt=generation)
    keys = [edge_index.bucket_key(bucket.generation, bucket.number) for bucket in old]
    for start in range(0, len(keys), edge_index.MAX_KEYS_PER_CALL):
        update_keys(
            clients, store_arn, {}, deletes=keys[start : start + edge_index.MAX_KEYS_PER_CALL]
        )
    old.delete()


def update_keys(
    clients: Clients, store_arn: str, puts: Mapping[str, str], deletes: list[str] | None = None
) -> None:
    """One all-or-nothing UpdateKeys. The store has one ETag: when it moved, look again."""
    for attempt in range(5):
        etag = clients.keyvaluestore.describe_key_value_store(KvsARN=store_arn)["ETag"]
        try:
            clients.keyvaluestore.update_keys(
                KvsARN=store_arn,
                IfMatch=etag,
                Puts=[{"Key": key, "Value": value} for key, value in puts.items()],
                Deletes=[{"Key": key} for key in deletes or []],
            )
        except ClientError as error:
            if error_code(error) == "ResourceNotFoundException" and deletes:
                deletes = None  # a killed call deleted them; nothing leads to what may be left
            elif (
                error_code(error) not in {"ConflictException", "PreconditionFailed"} or attempt == 4
            ):
                raise
        else:
            return


def _next_release(site: Site) -> int:
    last = Deployment.objects.filter(site=site).aggregate(last=Max("release_number"))["last"]
    return (last or 0) + 1


def _index_of(row: EdgeIndex) -> edge_index.Index:
    buckets = row.bucket_rows.filter(generation=row.generation)
    return edge_index.Index(
        generation=row.generation,
        buckets=row.buckets,
        values=dict(buckets.values_list("number", "value")),
    )


def _graced(row: EdgeIndex, deployment: Deployment, manifest: Manifest) -> dict[str, str]:
    """``{path: ISO time until which it stays}`` of files that open pages may still ask for."""
    now = timezone.now()
    graced = {path: until for path, until in row.graced.items() if _time(until) > now}
    published = Deployment.objects.filter(site=deployment.site, is_published=True).first()
    if published is not None and published.pk != deployment.pk:
        until = (now + GRACE).isoformat()
        before = Manifest.from_bytes(bytes(published.manifest))
        graced |= {path: until for path in before.entries if survives(path)}
    return {path: until for path, until in graced.items() if path not in manifest.entries}


def _by_row(puts: Mapping[str, str]) -> dict[tuple[int, int], str]:
    return {edge_index.parse_bucket_key(key): value for key, value in puts.items()}


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
