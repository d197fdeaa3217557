"""Invalidations as rows: requested, gathered, sent once, watched until CloudFront says Completed.

What a site asks for within a few seconds goes out as one. A row is in progress from the moment
that it may be sent, decided under the lock of its site's row: so all workers together keep to what
a distribution takes at a time. From then on its paths stay as they are, and its CallerReference
makes one of it, however often it is sent.
https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/InvalidationLimits.html
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from statistics import median
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.db.models import Min
from django.utils import timezone

from cloudadmin.aws import BotoCoreError, ClientError, error_code, is_permanent
from deployments.errors import DeploymentRefused
from deployments.invalidations.ledger import Ledger, ledger
from deployments.invalidations.paths import Taken, cover, normalized, taken, wildcards
from deployments.manifest import Manifest
from deployments.models import Deployment, Invalidation
from deployments.progress import deciding
from deployments.target import target_of
from sites.access import clients_for
from sites.models import Account, Site

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from mypy_boto3_cloudfront import CloudFrontClient

Status = Invalidation.Status
GATHERED = timedelta(seconds=2)
# Of one distribution, in progress at a time.
MAX_WILDCARDS = 15
MAX_PLAIN = 3_000
LOOKED_BACK = 50
BUSY = {
    "TooManyInvalidationsInProgress": "CloudFront has as many invalidations of this distribution "
    "in progress as it takes, some of them not from here.",
    "Throttling": "AWS asked to slow down.",
    "ThrottlingException": "AWS asked to slow down.",
}


# --- What would be done ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Plan:
    """``paths`` would be sent, for ``price`` US dollars; ``taken`` is what they take besides."""

    asked: tuple[str, ...]
    paths: tuple[str, ...]
    taken: tuple[Taken, ...]
    ledger: Ledger
    price: Decimal


def plan(site: Site, paths: list[str]) -> Plan:
    """Raises ValueError for what is no path, DeploymentRefused when there is nothing to ask."""
    asked = _asked(site, paths)
    sent = cover(asked)
    served = Deployment.objects.filter(site=site, is_published=True).only("manifest").first()
    files = Manifest.from_bytes(bytes(served.manifest)).entries if served else {}
    account = ledger(site.account)
    return Plan(
        asked=tuple(asked),
        paths=tuple(sent),
        taken=tuple(taken(sent, asked, files)),
        ledger=account,
        price=account.price_of(len(sent)),
    )


def request(site: Site, paths: list[str], creator: User | None = None) -> Invalidation:
    """The row; the caller enqueues ``deployments.tasks.send_invalidation`` after commit.

    Raises as :func:`plan` does.
    """
    asked = _asked(site, paths)
    return Invalidation.objects.create(site=site, paths=cover(asked), creator=creator)


def _asked(site: Site, paths: list[str]) -> list[str]:
    target_of(site)
    if not paths:
        raise ValueError("Give at least one path, such as /data/* or /feed.xml.")
    return [normalized(path) for path in paths]


# --- Doing it -------------------------------------------------------------------------------------


def advance(pk: int) -> float | None:
    """Send the invalidation, or look how far it is; seconds after which to call again, if it shall
    not wait for the next round."""
    row = Invalidation.objects.select_related("site__account").filter(pk=pk).first()
    if row is None or row.status not in Invalidation.ACTIVE:
        return None
    try:
        distribution_id = target_of(row.site).distribution_id
    except DeploymentRefused as refused:
        active = Invalidation.objects.filter(pk=pk, status__in=Invalidation.ACTIVE)
        active.update(status=Status.FAILURE, error_message=str(refused))
        return None
    if row.status == Status.QUEUED:
        admitted = _admitted(row.site)
        if not isinstance(admitted, Invalidation):
            return admitted
        pk = admitted.pk
    _call(pk, distribution_id, clients_for(row.site.account).cloudfront)
    return None


def due() -> list[int]:
    """Those in progress, and one of what each site has queued: the others go with it."""
    rows = Invalidation.objects.order_by()
    queued = rows.filter(status=Status.QUEUED).values("site").annotate(first=Min("pk"))
    in_progress = rows.filter(status=Status.IN_PROGRESS)
    return [*in_progress.values_list("pk", flat=True), *queued.values_list("first", flat=True)]


def _admitted(site: Site) -> Invalidation | float | None:
    """All that the site has queued as one row that is to be sent; or the seconds to wait for more
    to come; or None when there is no room, which is then written in the row."""
    with deciding(site):
        rows = Invalidation.objects.filter(site=site)
        queued = list(rows.filter(status=Status.QUEUED).order_by("pk"))
        if not queued:
            return None
        first, *others = queued
        gathering = (first.created_at + GATHERED - timezone.now()).total_seconds()
        if gathering > 0:
            return gathering
        first.paths = cover(path for each in queued for path in each.paths)
        merged = [each.pk for each in others]
        rows.filter(merged_into__in=merged).update(merged_into=first)
        rows.filter(pk__in=merged).update(status=Status.MERGED, merged_into=first, error_message="")
        in_progress = rows.filter(status=Status.IN_PROGRESS).values_list("paths", flat=True)
        first.error_message = _no_room(first.paths, [path for each in in_progress for path in each])
        if not first.error_message:
            first.status, first.submitted_at = Status.IN_PROGRESS, timezone.now()
        first.save()
        return None if first.error_message else first


def _no_room(paths: list[str], in_progress: list[str]) -> str:
    """Why CloudFront would not take the paths now; empty when it would."""
    there, more = wildcards(in_progress), wildcards(paths)
    plain, more_plain = len(in_progress) - there, len(paths) - more
    if there + more > MAX_WILDCARDS:
        said = f"{there} of the {MAX_WILDCARDS} wildcard paths", more
    elif plain + more_plain > MAX_PLAIN:
        said = f"{plain:,} of the {MAX_PLAIN:,} plain paths", more_plain
    else:
        return ""
    return (
        f"Waits for room: {said[0]} that CloudFront takes at a time are in progress for this site, "
        f"and this needs {said[1]}. It is sent as soon as they are through."
    )


def _call(pk: int, distribution_id: str, cloudfront: CloudFrontClient) -> None:
    """One call to AWS about a row in progress, which nobody else makes meanwhile."""
    with transaction.atomic():
        rows = Invalidation.objects.select_for_update(skip_locked=True, no_key=True)
        row = rows.filter(pk=pk, status=Status.IN_PROGRESS).first()
        if row is None:
            return
        try:
            answer = _sent_or_seen(row, distribution_id, cloudfront)
        except (ClientError, BotoCoreError) as error:
            _note(row, error)
        else:
            row.invalidation_id, row.status = answer["Id"], answer["Status"]
            row.error_message = ""
            if row.status == Status.COMPLETED:
                row.completed_at = timezone.now()
        row.save()


def _sent_or_seen(row: Invalidation, distribution_id: str, cloudfront: CloudFrontClient) -> Any:
    if row.invalidation_id:
        seen = cloudfront.get_invalidation(DistributionId=distribution_id, Id=row.invalidation_id)
        return seen["Invalidation"]
    sent = cloudfront.create_invalidation(
        DistributionId=distribution_id,
        InvalidationBatch={
            "Paths": {"Quantity": len(row.paths), "Items": row.paths},
            "CallerReference": row.caller_reference,
        },
    )
    return sent["Invalidation"]


def _note(row: Invalidation, error: Exception) -> None:
    """A refusal because of others is waited out. After an answer that was lost it may have been
    taken: it stays in progress, and is sent again as it is."""
    busy = BUSY.get(error_code(error), "")
    row.error_message = f"{busy} It is tried again every few seconds." if busy else str(error)
    if busy and not row.invalidation_id:
        row.status, row.submitted_at = Status.QUEUED, None
    elif not busy and is_permanent(error):
        row.status = Status.FAILURE


# --- What is told of it ---------------------------------------------------------------------------


def waits_for(row: Invalidation) -> str:
    """What an active row waits for, in a sentence; empty otherwise."""
    if row.status == Status.QUEUED:
        seconds = GATHERED.total_seconds()
        return row.error_message or (
            f"Gathers what else the site asks for within {seconds:.0f} seconds, to send it as one."
        )
    if row.status != Status.IN_PROGRESS:
        return ""
    if not row.invalidation_id:
        return row.error_message or "Is being sent to CloudFront."
    return row.error_message or "CloudFront tells every point of presence. Nothing waits for it."


def usual_seconds(account: Account) -> float | None:
    """How long the account's last invalidations took, in the middle; None without any."""
    took = Invalidation.objects.filter(
        site__account=account, submitted_at__isnull=False, completed_at__isnull=False
    ).values_list("submitted_at", "completed_at")[:LOOKED_BACK]
    seconds = [(end - begin).total_seconds() for begin, end in took if begin and end]
    return median(seconds) if seconds else None
