"""Serve an earlier deployment again, without an upload.

As a rule it is one flip. A release that the index gave up for room gets its records again, under a
new number; its objects are in the bucket still.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from django.db import transaction
from django.db.models import QuerySet

from cloudadmin.aws import BotoCoreError, ClientError
from deployments import index_rows, operations, publish
from deployments.errors import DeploymentRefused
from deployments.manifest import Manifest
from deployments.models import Deployment
from deployments.target import target_of
from sites.access import clients_for
from sites.models import Site

logger = logging.getLogger(__name__)

if TYPE_CHECKING:
    from django.contrib.auth.models import User


def rollback(site: Site, number: int | None = None, creator: User | None = None) -> Deployment:
    """Go back to deployment ``number``, or to the one before the published one.

    Returns the deployment that is served, or a new one with the same files that the caller brings
    to its end with ``operations.advance``.
    """
    earlier = _earlier(site, number)
    if not index_rows.can_name(earlier):
        return _again(earlier, creator)
    target = target_of(site)
    with transaction.atomic():
        Site.objects.select_for_update().get(pk=site.pk)
        operations.refuse_while_under_way(site)
        index_rows.name_head(site, earlier.release_number)
        operations.mark_published(earlier)
    clients = clients_for(site.account)
    publish.flip(site, target, clients)
    publish.put_error_page(Manifest.from_bytes(bytes(earlier.manifest)), target, clients)
    return earlier


def check(deployment: Deployment) -> publish.Mismatch | None:
    """Whether the edge serves this deployment; the first file that is not so, or None."""
    manifest = Manifest.from_bytes(bytes(deployment.manifest))
    target = target_of(deployment.site)
    return publish.check(target.hosts[0], publish.sample(manifest.entries, set()))


def write_head(site: Site) -> None:
    """Flip to what the row says: after a crash, or for a host that joined."""
    try:
        publish.flip(site, target_of(site), clients_for(site.account))
    except (ClientError, BotoCoreError, DeploymentRefused):
        logger.warning("the head of %s could not be written; it is tried again", site.name)


def sites_with_unwritten_head() -> QuerySet[Site]:
    return (
        Site.objects.select_related("account")
        .filter(
            edge_index__is_head_written=False,
        )
        .exclude(state=Site.State.DESTROYING)
    )


def _again(earlier: Deployment, creator: User | None) -> Deployment:
    deployment = operations.create(
        earlier.site,
        f"deployment #{earlier.number}",
        message=f"Deployment #{earlier.number} again",
        creator=creator,
    )
    Deployment.objects.filter(pk=deployment.pk).update(
        phase=Deployment.Phase.INDEX,
        manifest=earlier.manifest,
        files=earlier.files,
        unchanged=earlier.files,
    )
    deployment.refresh_from_db()
    return deployment


def _earlier(site: Site, number: int | None) -> Deployment:
    served = Deployment.objects.filter(site=site, published_at__isnull=False)
    published = served.filter(is_published=True).first()
    if number is not None:
        earlier = served.filter(number=number).first()
        if earlier is None:
            raise DeploymentRefused(
                f"{site.name} has no deployment #{number} that was ever published."
            )
    else:
        before = served.filter(is_published=False)
        if published is not None:
            before = before.filter(number__lt=published.number)
        earlier = before.order_by("-number").first()
        if earlier is None:
            raise DeploymentRefused(f"{site.name} has no earlier deployment to go back to.")
    if earlier.is_published:
        raise DeploymentRefused(f"Deployment #{earlier.number} of {site.name} is live already.")
    return earlier
