"""The edge index of a site: pure ``edge_index`` here, rows and the KeyValueStore there.

Rows are committed before the call that writes them, so what we know is always a superset of what
the edge may answer: a killed deploy leaves no record that the next one does not take into account.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Protocol, TypeVar

from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from cloudadmin.aws import ClientError, Clients, error_code
from deployments.edge import edge_index, head_rules, index_shape
from deployments.edge.head_rules import is_preview, release_of
from deployments.errors import DeploymentRefused
from deployments.manifest import Manifest, survives
from deployments.models import Deployment, EdgeIndex, IndexBucket
from deployments.preview_names import own_label

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from sites.models import Site

# How long a file that a page of an earlier release may still ask for stays (DESIGN section 5).
GRACE = timedelta(days=7)
NO_ROOM = (
    "The edge index had no room left for this preview; deploy it again, or close others first."
)

# The store has one ETag, and says so when it moved.
MOVED = frozenset({"ConflictException", "PreconditionFailed"})
ATTEMPTS = 5
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
        index = index_shape.newest(row)
        wanted = {path: entry.hash for path, entry in manifest.entries.items()}
        if deployment.environment == Deployment.Environment.PRODUCTION:
            row.graced = _graced(row, deployment, manifest)
            wanted = _answers(row, index) | wanted
        served, if_room = _kept(row)
        occupied = index_shape.occupied(row)
        change = edge_index.append(
            index, number, wanted, reachable=served, if_room=if_room, occupied=occupied
        )
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


@dataclass(frozen=True)
class Keys:
    """What calls of UpdateKeys put and delete."""

    puts: Mapping[str, str]
    deletes: Sequence[str] = ()


def write(site: Site, clients: Clients, store_arn: str) -> None:
    """Send every row, and every rule, that the store does not have yet.

    Before that, hosts whose release was given up for room lose their heads.
    """
    _withdraw(site, clients, store_arn)
    sent = update_keys(clients, store_arn, partial(_unwritten, site))
    with transaction.atomic():
        row = _lock(site)
        # What was changed since is to be written again.
        pending = row.bucket_rows.filter(is_written=False)
        written = [bucket.pk for bucket in pending if sent.puts.get(_key(bucket)) == bucket.value]
        IndexBucket.objects.filter(pk__in=written).update(is_written=True)
        head_rules.were_written(row, sent.puts, frozenset())
        row.save(update_fields=["heads"])


def settled(site: Site) -> None:
    """Record that heads may name the index as it is; the caller is in the lane, and has waited."""
    with transaction.atomic():
        row = _lock(site)
        index_shape.settle(row)
        row.save(update_fields=["heads"])


def name_head(site: Site, number: int | None) -> None:
    """Record which release shall be served, before any call: beat flips what a crash leaves.

    Raises DeploymentRefused when the index has given it up.
    """
    rows = EdgeIndex.objects.filter(site=site)
    if number is not None:
        rows = rows.filter(reachable__contains=[number])
    if not rows.update(head_release=number, is_head_written=False):
        raise DeploymentRefused(
            f"The edge index of {site.name} has given up this release; deploy it again."
        )


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
    index = EdgeIndex.objects.filter(site_id=deployment.site_id)
    release = deployment.release_number
    return release is not None and index.filter(reachable__contains=[release]).exists()


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


def make_room(site: Site, clients: Clients, store_arn: str) -> None:
    """Delete generations that no head names any more, at no point of presence; for who is in the
    lane, before it adds to the index."""
    row = EdgeIndex.objects.filter(site=site).first()
    if row is None or not index_shape.is_everywhere(row):
        return
    old = row.bucket_rows.exclude(generation__in=index_shape.needed(row))
    keys = [_key(bucket) for bucket in old]
    update_keys(clients, store_arn, lambda: Keys({}, keys))
    old.delete()


class Planned(Protocol):
    @property
    def puts(self) -> Mapping[str, str]: ...
    @property
    def deletes(self) -> Sequence[str]: ...


K = TypeVar("K", bound=Planned)


def update_keys(clients: Clients, store_arn: str, plan: Callable[[], K]) -> K:
    """Do what ``plan`` says, and return it: puts first, then deletes.

    It reads the rows after the store's ETag was taken, and again whenever somebody else wrote
    meanwhile: so nobody puts back what another one has replaced.
    """
    for _ in range(ATTEMPTS):
        etag = _etags.pop(store_arn, "")
        if not etag:
            etag = clients.keyvaluestore.describe_key_value_store(KvsARN=store_arn)["ETag"]
        planned = plan()
        try:
            for keys in _calls(planned):
                etag = _call(clients, store_arn, etag, keys)
        except ClientError as error:
            if error_code(error) not in MOVED:
                raise
            moved = error
        else:
            _etags[store_arn] = etag
            return planned
    raise moved


def _calls(planned: Planned) -> Iterator[Keys]:
    """At most 50 keys each, which are all or nothing."""
    most = edge_index.MAX_KEYS_PER_CALL
    puts = list(edge_index.batches(planned.puts))
    deletes = planned.deletes
    for batch in puts[:-1]:
        yield Keys(batch)
    if puts:
        room = most - len(puts[-1])
        yield Keys(puts[-1], deletes[:room])
        deletes = deletes[room:]
    for start in range(0, len(deletes), most):
        yield Keys({}, deletes[start : start + most])


def _call(clients: Clients, store_arn: str, etag: str, keys: Keys) -> str:
    """The store's ETag after it."""
    try:
        answer = clients.keyvaluestore.update_keys(
            KvsARN=store_arn,
            IfMatch=etag,
            Puts=[{"Key": key, "Value": value} for key, value in keys.puts.items()],
            Deletes=[{"Key": key} for key in keys.deletes],
        )
    except ClientError as error:
        if error_code(error) != "ResourceNotFoundException" or not keys.deletes:
            raise
        # A killed call deleted them; nothing leads to what may be left.
        return _call(clients, store_arn, etag, Keys(keys.puts)) if keys.puts else etag
    return answer["ETag"]


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
        keys = [edge_index.head_key(host) for host in lost]
        update_keys(clients, store_arn, lambda: Keys({}, keys))
        with transaction.atomic():
            row = _lock(site)
            row.heads = {name: kept for name, kept in row.heads.items() if name not in lost}
            row.save(update_fields=["heads"])


def _unwritten(site: Site) -> Keys:
    row = EdgeIndex.objects.get(site=site)
    pending = row.bucket_rows.filter(is_written=False)
    buckets = {_key(bucket): bucket.value for bucket in pending}
    return Keys(buckets | head_rules.unwritten(row))


def _key(bucket: IndexBucket) -> str:
    return edge_index.bucket_key(bucket.generation, bucket.number)


def _lock(site: Site) -> EdgeIndex:
    return EdgeIndex.objects.select_for_update().get(site=site)


def _next_release(site: Site) -> int:
    last = Deployment.objects.filter(site=site).aggregate(last=Max("release_number"))["last"]
    return (last or 0) + 1


def _graced(row: EdgeIndex, deployment: Deployment, manifest: Manifest) -> dict[str, str]:
    """``{path: ISO time until which it stays}`` of files that open pages may still ask for.

    What the deployment has again stays in the list: it may never be published.
    """
    now = timezone.now()
    graced = {path: until for path, until in row.graced.items() if _time(until) > now}
    published = Deployment.objects.filter(site=deployment.site, is_published=True).first()
    if published is not None and published.pk != deployment.pk:
        until = (now + GRACE).isoformat()
        before = Manifest.from_bytes(bytes(published.manifest))
        gone = before.entries.keys() - manifest.entries.keys()
        graced |= {path: until for path in gone if survives(path)}
    return graced


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
