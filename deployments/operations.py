"""A deployment from request to outcome.

create      the row, with the next number; any number of them side by side
upload      the objects that are missing (needs the files; runs where they are)
advance     the rest, step by step: queue -> index -> settle -> flip -> verify; needs only the
            row, so any worker can finish what another one left
cancel      an end to it, until the flip
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from django.db.models import F, Max, QuerySet
from django.template.defaultfilters import filesizeformat, pluralize
from django.utils import timezone

from cloudadmin.aws import BotoCoreError, ClientError, Clients
from deployments import lane, log, previews, publish, salvage, steps
from deployments.edge import room
from deployments.edge.edge_index import DigestCollision, IndexFull
from deployments.errors import DeploymentRefused
from deployments.manifest import Entry, Manifest
from deployments.models import Deployment, DeploymentEvent, Event
from deployments.progress import CANCELLED, Cancelled, Watch, announce, deciding, end, move
from deployments.target import Target, target_of
from deployments.upload import upload as upload_objects
from sites.access import clients_for
from sites.audit import on_behalf_of
from sites.errors import in_words
from sites.models import Site
from sites.models.lease import LeaseLost

if TYPE_CHECKING:
    from django.contrib.auth.models import User

State, Phase = Deployment.State, Deployment.Phase
Environment, Trigger = Deployment.Environment, Deployment.Trigger
WARNING = DeploymentEvent.Level.WARNING

UPLOADING = (Phase.SOURCE, Phase.UPLOAD)
# The source of what a client uploads by itself, in requests: it holds the row between them.
NEGOTIATED = "manifest"
# Manifests whose objects are known to be in the bucket; more would cost more to read than to send,
# and so would one of so many files for each that is still missing.
MANIFESTS_COMPARED = 5
FILES_READ_FOR_ONE = 1_000
MAX_ATTEMPTS = 5
# After so long without anybody who holds it, an upload that was begun is not coming any more.
ABANDONED = timedelta(days=1)

Step = Callable[[Deployment, Target, Clients], float | None]
STEPS: Mapping[str, Step] = {
    Phase.QUEUE: steps.queue,
    Phase.INDEX: steps.index,
    Phase.SETTLE: steps.settle,
    Phase.FLIP: steps.flip,
    Phase.VERIFY: steps.verify,
}


def create(
    site: Site,
    source: str,
    *,
    message: str = "",
    creator: User | None = None,
    environment: str = Environment.PRODUCTION,
    trigger: str = Trigger.COMMAND,
    label: str = "",
    ref: str = "",
    sha: str = "",
    author: str = "",
    idempotency_key: str = "",
    warnings: Sequence[str] = (),
    allowed: Sequence[str] = (),
) -> Deployment:
    """The row of a new deployment, or the one that was made with this key before.

    Raises DeploymentRefused when the site has nothing to publish to; never because of another
    deployment: they wait for each other after their uploads.
    """
    target_of(site)
    with deciding(site):
        rows = Deployment.objects.filter(site=site)
        known = rows.filter(idempotency_key=idempotency_key).first() if idempotency_key else None
        if known is not None:
            return known
        number = (rows.aggregate(last=Max("number"))["last"] or 0) + 1
        is_preview = environment == Environment.PREVIEW
        deployment = Deployment(
            site=site,
            number=number,
            source=source[:500],
            description=message[:500],
            creator=creator,
            environment=environment,
            trigger=trigger,
            label=(label or f"d{number}") if is_preview else "",
            ref=ref[:255],
            sha=sha[:64],
            author=author[:200],
            idempotency_key=idempotency_key,
            warnings=list(warnings),
            allowed=list(allowed),
        )
        if is_preview:
            previews.host_of(deployment)
        deployment.save()
        log.say(deployment, _asked(deployment))
        log.say(deployment, *warnings, level=WARNING)
        announce(deployment, Event.STARTED)
    return deployment


def _asked(deployment: Deployment) -> str:
    who = f" by {deployment.creator}" if deployment.creator else ""
    where = f"preview {deployment.label}" if deployment.label else "all visitors"
    return f"Asked for{who} ({deployment.get_trigger_display().lower()}), for {where}."


# --- Upload ---------------------------------------------------------------------------------------


def upload(
    deployment: Deployment, manifest: Manifest, root: Path, on_progress: Callable[[int, int], None]
) -> None:
    """Send the objects that the bucket does not have; the caller holds the deployment.

    Raises UploadError, DeploymentRefused, Cancelled (the row has its end then) and LeaseLost.
    """
    site = deployment.site
    target = target_of(site)
    # Written first: what it needs is not cleared away, and should this process die, the next
    # upload knows what may have been sent.
    with deciding(site):
        move(deployment, Phase.UPLOAD, manifest=manifest.to_bytes(), files=len(manifest.entries))
    missing = missing_objects(site, manifest)
    sent = (0, 0)
    if missing:
        room.raise_if_full(site, manifest)
        clients = clients_for(site.account)
        candidates = salvage.candidates(deployment, missing)
        store = clients.object_store(target.bucket_name)
        for path in salvage.present(store, missing, candidates):
            del missing[path]
        total = sum(entry.size for entry in missing.values())
        deployment.write(objects_total=len(missing), bytes_total=total)
        log.say(
            deployment,
            f"{len(manifest.entries):,} file{pluralize(manifest.entries)}; the bucket lacks "
            f"{len(missing):,} of them, {filesizeformat(total)}.",
        )
        watch = Watch(deployment, on_progress)
        try:
            bucket = clients.bucket_address(target.bucket_name)
            done = upload_objects(
                bucket, root, missing, injects=manifest.injects, on_progress=watch
            )
        except Cancelled:
            end(deployment, State.INACTIVE, CANCELLED)
            raise
        sent = (done.objects, done.bytes)
    uploaded(deployment, manifest, *sent)


def uploaded(deployment: Deployment, manifest: Manifest, objects: int, size: int) -> None:
    """Record, as the holder, that everything is in the bucket: from here on any worker goes on."""
    before = publish.published_manifest(deployment.site).entries
    sent = f"Sent: {objects:,} file{pluralize(objects)}, {filesizeformat(size)}." if objects else ""
    log.say(deployment, sent or "Nothing to send: the bucket has every file already.")
    move(
        deployment,
        Phase.QUEUE,
        manifest=manifest.to_bytes(),
        files=len(manifest.entries),
        uploaded=objects,
        bytes=size,
        unchanged=len(manifest.entries) - objects,
        deleted=len(before.keys() - manifest.entries.keys()),
    )


def missing_objects(site: Site, manifest: Manifest) -> dict[str, Entry]:
    """Entries whose object no earlier deployment has uploaded. No request is made for this."""
    ended = (
        Deployment.objects.filter(site=site, pruned_at__isnull=True)
        .exclude(phase__in=UPLOADING)
        .exclude(manifest=b"")
    )
    rows = ended.order_by("-is_published", "-number").defer("manifest")[:MANIFESTS_COMPARED]
    missing = dict(manifest.entries)
    for row in rows:
        if row.files <= len(missing) * FILES_READ_FOR_ONE:
            known = publish.manifest_of(row).entries
            missing = {path: entry for path, entry in missing.items() if known.get(path) != entry}
    return missing


def published_manifest(site: Site) -> Manifest:
    return publish.published_manifest(site)


# --- To the end -----------------------------------------------------------------------------------


def advance(deployment: Deployment) -> float | None:
    """Make the next step; the seconds to wait before the one after it, None at the end.

    The caller holds the deployment. Every step can be repeated: a crash anywhere is continued.
    """
    site = deployment.site
    deployment.refresh_from_db(fields=["cancel_requested"])
    if deployment.cancel_requested and deployment.phase in lane.BEFORE_FLIP:
        end(deployment, State.INACTIVE, CANCELLED)
        return None
    try:
        return STEPS[deployment.phase](deployment, target_of(site), clients_for(site.account))
    except (IndexFull, DigestCollision, DeploymentRefused) as refused:
        fail(deployment, str(refused))
        return None


def finish(deployment: Deployment, pause: Callable[[float], None]) -> None:
    """All the steps that are left, for who holds the deployment and can wait in between."""
    while (seconds := advance(deployment)) is not None:
        if deployment.phase == Phase.QUEUE:
            _help(deployment)
        pause(seconds)


def resume(pk: int) -> float | None:
    """A worker's way in: claim what nobody holds, make one step, let go."""
    deployment = (
        Deployment.objects.select_related("site__account", "creator")
        .filter(pk=pk, state__in=Deployment.ACTIVE)
        .first()
    )
    if deployment is None or not _is_ours(deployment):
        return None
    attempts = deployment.attempts
    if not deployment.claim(state=State.IN_PROGRESS):
        return None
    try:
        if deployment.attempts > attempts:
            log.say(deployment, WORKER_DIED, level=WARNING)
        if deployment.phase in UPLOADING:
            fail(deployment, UPLOAD_DIED)
        elif deployment.attempts > MAX_ATTEMPTS:
            said = f"Stopped after five attempts. {deployment.error_message}".strip()
            fail(deployment, said, state=State.ERROR)
        else:
            with on_behalf_of(deployment.creator), deployment.heartbeat():
                return _step(deployment)
    except LeaseLost:
        pass
    return None


def due() -> QuerySet[Deployment]:
    """Deployments that are under way and that nobody holds: what beat re-queues."""
    stale = timezone.now() - timedelta(seconds=30)
    return (
        Deployment.unclaimed()
        .filter(state__in=Deployment.ACTIVE, created_at__lt=stale)
        .defer("manifest")
    )


def fail(deployment: Deployment, message: str, state: str = State.FAILURE) -> None:
    """The end of what has not ended yet; beat flips back what a head may name already."""
    if deployment.state in Deployment.ACTIVE:
        end(deployment, state, message)


WORKER_DIED = "Whoever worked on it ended without a word; another worker goes on."
UPLOAD_DIED = (
    "The process that uploaded the files ended before it was done. Nothing was published; deploy "
    "again: what was sent is not sent twice."
)


def _is_ours(deployment: Deployment) -> bool:
    """Before its upload has ended, a deployment is its uploader's, unless that died."""
    if deployment.phase not in UPLOADING or deployment.lease_until is not None:
        return True
    return deployment.created_at < timezone.now() - ABANDONED


def _step(deployment: Deployment) -> float | None:
    try:
        if deployment.phase == Phase.QUEUE:
            # Let go in the transaction that found the lane taken: who leaves it then sees that
            # this one is held by nobody, and wakes it.
            with deciding(deployment.site):
                pause = advance(deployment)
                if pause is not None:
                    deployment.release()
            return None if deployment.phase == Phase.QUEUE else pause
        pause = advance(deployment)
    except (ClientError, BotoCoreError) as error:
        said = in_words(error)
        log.say(deployment, f"It is tried again in 5 seconds. {said}", level=WARNING)
        deployment.release(attempts=deployment.attempts + 1, error_message=said)
        return 5.0
    if pause is not None:
        deployment.release()
    return pause


def _help(deployment: Deployment) -> None:
    """While it waits: a step for the first one before it that nobody holds, in case its process
    died and no worker runs."""
    abandoned = next((row for row in lane.before(deployment) if not row.is_held), None)
    if abandoned is not None:
        resume(abandoned.pk)


# --- Cancel ---------------------------------------------------------------------------------------


def request_cancel(deployment: Deployment) -> None:
    """Have it end before its flip: at once when nobody is busy with it, else within seconds.

    Raises DeploymentRefused when it has ended already, or when it is too late.
    """
    with deciding(deployment.site):
        row = Deployment.objects.select_related("site").get(pk=deployment.pk)
        if row.state not in Deployment.ACTIVE:
            raise DeploymentRefused(f"Deployment #{row.number} has ended already.")
        if row.phase not in lane.BEFORE_FLIP:
            raise DeploymentRefused(
                f"It is too late to cancel #{row.number}: it is being published. Roll back instead."
            )
        Deployment.objects.filter(pk=row.pk).update(cancel_requested=True)
        if row.phase == Phase.QUEUE or not row.is_held or is_negotiated(row):
            # The fence refuses whoever read the row before.
            Deployment.objects.filter(pk=row.pk).update(fence=F("fence") + 1)
            row.refresh_from_db()
            end(row, State.INACTIVE, CANCELLED)
    deployment.refresh_from_db()


def is_negotiated(deployment: Deployment) -> bool:
    """Whether a client holds it, and has not said that everything is there."""
    return (
        deployment.phase == Phase.UPLOAD
        and deployment.state in Deployment.ACTIVE
        and deployment.trigger == Trigger.API
        and deployment.source == NEGOTIATED
        and deployment.is_held
        and bool(deployment.manifest)
    )


def interrupt(deployment: Deployment) -> bool:
    """The holder has to go: before the flip that is the end, afterwards a worker goes on.

    Whether it is the end.
    """
    if deployment.phase in lane.BEFORE_FLIP:
        end(deployment, State.INACTIVE, "Interrupted. Nothing of it was published.")
        return True
    deployment.release()
    return False
