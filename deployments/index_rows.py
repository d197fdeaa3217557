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
from deployments import edge_index, head_rules
from deployments.head_rules import is_preview, release_of
from deployments.manifest import Manifest, survives
from deployments.models import Deployment, EdgeIndex, IndexBucket
from deployments.preview_names import own_label

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sites.models import Site

# How long a file that a page of an earlier release may still ask for stays (DESIGN section 5).
GRACE = timedelta(days=7)
NO_ROOM = (
    "The edge index had no room left for this preview; deploy it again, or close others first."
)

# By store, what this process left it at. A wrong one is refused, and costs a call.
_etags: dict[str, str] = {}


def prepare(deployment: Deployment, manifest: Manifest) -> None:
    """Commit the records of the deployment's release, unwritten. Running it again adds nothing.

    The releases that a head names stay as they are. Previews do as long as there is room; those
    that had to give it up are closed, with the reason.

    Raises IndexFull, DigestCollision and RulesRefused, whose messages are for people.
    """
    site = deployment.site
    with transaction.atomic():
        row, _ = EdgeIndex.objects.select_for_update().get_or_create(site=site)
        number = deployment.release_number or _next_release(site)
        index = _index_of(row)
        wanted = {path: entry.hash for path, entry in manifest.entries.items()}
        if deployment.environment == Deployment.Environment.PRODUCTION:
            row.graced = _graced(row, deployment, manifest)
            wanted = _answers(row, index) | wanted
        served, if_room = _kept(row)
        change = edge_index.append(index, number, wanted, reachable=served, if_room=if_room)
        row.generation, row.buckets = change.index.generation, change.index.buckets
        row.reachable = sorted(change.reachable, reverse=True)
        head_rules.use_redirects(row, number, manifest.redirects)
        row.save()
        deployment.write(generation=row.generation, release_number=number)
        _close_unreachable(row)
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
    """Send every row, and every rule, that the store does not have yet; how many rows.

    Before that, hosts whose release was given up for room lose their heads.
    """
    _withdraw(site, clients, store_arn)
    pending = IndexBucket.objects.filter(index__site=site, is_written=False)
    puts = {
        edge_index.bucket_key(bucket.generation, bucket.number): bucket.value for bucket in pending
    }
    sent = [bucket.pk for bucket in pending]
    rules = _unwritten_rules(site)
    update_keys(clients, store_arn, puts | rules)
    IndexBucket.objects.filter(pk__in=sent).update(is_written=True)
    if rules:
        with transaction.atomic():
            row = EdgeIndex.objects.select_for_update().get(site=site)
            head_rules.were_written(row, rules, frozenset())
            row.save(update_fields=["heads"])
    return len(sent) + len(rules)


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


def is_named(deployment: Deployment) -> bool:
    """Whether its release is the one that the head of every host shall name."""
    index = EdgeIndex.objects.filter(site_id=deployment.site_id)
    release = deployment.release_number
    return release is not None and index.filter(head_release=release).exists()


def forget(site: Site, deployments: Iterable[Deployment]) -> None:
    """Releases that no head may name again; their records go when there is need of room."""
    gone = {deployment.release_number for deployment in deployments}
    with transaction.atomic():
        row = EdgeIndex.objects.select_for_update().filter(site=site).first()
        if row is not None:
            row.reachable = [number for number in row.reachable if number not in gone]
            row.save(update_fields=["reachable"])


def drop_generations_before(generation: int, site: Site, clients: Clients, store_arn: str) -> None:
    """Delete keys that no head names any more. The one before the current stays for a deployment:
    a point of presence may still have the old head."""
    old = IndexBucket.objects.filter(index__site=site, generation__lt=generation)
    keys = [edge_index.bucket_key(bucket.generation, bucket.number) for bucket in old]
    update_keys(clients, store_arn, {}, deletes=keys)
    old.delete()


def update_keys(
    clients: Clients, store_arn: str, puts: Mapping[str, str], deletes: Sequence[str] = ()
) -> None:
    """In this order, with at most 50 keys a call, each of which is all or nothing."""
    calls: list[tuple[Mapping[str, str], Sequence[str]]] = [
        (batch, ()) for batch in edge_index.batches(puts)
    ]
    room = edge_index.MAX_KEYS_PER_CALL - len(calls[-1][0]) if calls else 0
    if room and deletes:
        calls[-1] = (calls[-1][0], deletes[:room])
    rest = deletes[room:]
    for start in range(0, len(rest), edge_index.MAX_KEYS_PER_CALL):
        calls.append(({}, rest[start : start + edge_index.MAX_KEYS_PER_CALL]))
    for batch, keys in calls:
        _update_keys(clients, store_arn, batch, keys)


def _update_keys(
    clients: Clients, store_arn: str, puts: Mapping[str, str], deletes: Sequence[str]
) -> None:
    """The store has one ETag: that of the last call here, and when it moved since, look again."""
    for attempt in range(5):
        etag = _etags.pop(store_arn, "")
        if not etag:
            etag = clients.keyvaluestore.describe_key_value_store(KvsARN=store_arn)["ETag"]
        try:
            answer = clients.keyvaluestore.update_keys(
                KvsARN=store_arn,
                IfMatch=etag,
                Puts=[{"Key": key, "Value": value} for key, value in puts.items()],
                Deletes=[{"Key": key} for key in deletes],
            )
        except ClientError as error:
            if error_code(error) == "ResourceNotFoundException" and deletes:
                # A killed call deleted them; nothing leads to what may be left.
                deletes = ()
                if not puts:
                    return
            elif (
                error_code(error) not in {"ConflictException", "PreconditionFailed"} or attempt == 4
            ):
                raise
        else:
            _etags[store_arn] = answer["ETag"]
            return


def _kept(row: EdgeIndex) -> tuple[list[int], list[int]]:
    """The releases that must stay, and those that may, the most wanted first."""
    heads = [value for value in head_rules.hosts(row).values() if not is_preview(value)]
    served = {row.head_release, *map(release_of, heads)} - {None, 0}
    previews = Deployment.objects.filter(site_id=row.site_id, is_previewed=True)
    # Those of branches before those that show one deployment alone.
    newest = sorted(
        previews.defer("manifest"),
        key=lambda preview: (preview.label != own_label(preview), preview.number),
        reverse=True,
    )
    wanted = [*(preview.release_number for preview in newest), *row.reachable]
    if_room = [n for n in dict.fromkeys(wanted) if n in row.reachable and n not in served]
    return [number for number in served if number is not None], if_room


def _close_unreachable(row: EdgeIndex) -> None:
    Deployment.objects.filter(site_id=row.site_id, is_previewed=True).exclude(
        release_number__in=row.reachable
    ).update(is_previewed=False, expires_at=None, error_message=NO_ROOM)


def _withdraw(site: Site, clients: Clients, store_arn: str) -> None:
    """Nobody shall see a release of which only a part is left."""
    row = EdgeIndex.objects.filter(site=site).first()
    lost = [
        host
        for host, value in (head_rules.hosts(row) if row else {}).items()
        if row and is_preview(value) and release_of(value) not in row.reachable
    ]
    if lost:
        update_keys(clients, store_arn, {}, [edge_index.head_key(host) for host in lost])
        with transaction.atomic():
            row = EdgeIndex.objects.select_for_update().get(site=site)
            row.heads = {name: kept for name, kept in row.heads.items() if name not in lost}
            row.save(update_fields=["heads"])


def _unwritten_rules(site: Site) -> dict[str, str]:
    row = EdgeIndex.objects.filter(site=site).first()
    return head_rules.unwritten(row) if row else {}


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


def _answers(row: EdgeIndex, index: edge_index.Index) -> dict[str, str]:
    """What files that are kept for open pages were in the release that was published last, of
    those that had them. Previews do not count: no open page of the site comes from them."""
    published = Deployment.objects.filter(
        site_id=row.site_id, published_at__isnull=False, release_number__in=row.reachable
    ).order_by("-is_published", "-published_at")
    releases = list(published.values_list("release_number", flat=True))
    answers: dict[str, str] = {}
    for path in row.graced:
        owner = edge_index.digest(path)
        found = (edge_index.answer(index, owner, release) for release in releases if release)
        if object_hash := next(filter(None, found), None):
            answers[path] = object_hash
    return answers


def _by_row(puts: Mapping[str, str]) -> dict[tuple[int, int], str]:
    return {edge_index.parse_bucket_key(key): value for key, value in puts.items()}


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
