"""Invalidations as rows: requested, sent once, watched until CloudFront says Completed."""

from __future__ import annotations

from django.utils import timezone

from cloudadmin.aws import BotoCoreError, ClientError, is_permanent
from deployments.errors import DeploymentRefused
from deployments.invalidation import cover
from deployments.models import Invalidation
from deployments.target import target_of
from sites.access import clients_for
from sites.models import Site

Status = Invalidation.Status


def request(site: Site, paths: list[str]) -> Invalidation:
    """The row; the caller enqueues ``deployments.tasks.send_invalidation`` after commit."""
    target_of(site)
    return Invalidation.objects.create(site=site, paths=cover(paths))


def advance(pk: int) -> None:
    """Send the invalidation, or look how far it is. Sending twice makes one: AWS knows it by its
    CallerReference."""
    row = Invalidation.objects.select_related("site__account").get(pk=pk)
    if row.status not in Invalidation.ACTIVE:
        return
    try:
        distribution_id = target_of(row.site).distribution_id
    except DeploymentRefused as refused:
        row.status, row.error_message = Status.FAILURE, str(refused)
        row.save()
        return
    cloudfront = clients_for(row.site.account).cloudfront
    try:
        if row.invalidation_id:
            answer = cloudfront.get_invalidation(
                DistributionId=distribution_id, Id=row.invalidation_id
            )
        else:
            answer = cloudfront.create_invalidation(
                DistributionId=distribution_id,
                InvalidationBatch={
                    "Paths": {"Quantity": len(row.paths), "Items": row.paths},
                    "CallerReference": row.caller_reference,
                },
            )
    except (ClientError, BotoCoreError) as error:
        row.error_message = str(error)
        if is_permanent(error):
            row.status = Status.FAILURE
    else:
        row.invalidation_id = answer["Invalidation"]["Id"]
        row.status = answer["Invalidation"]["Status"]
        row.error_message = ""
        if row.status == Status.COMPLETED:
            row.completed_at = timezone.now()
    row.save()


def due() -> list[int]:
    return list(
        Invalidation.objects.filter(status__in=Invalidation.ACTIVE).values_list("pk", flat=True)
    )
