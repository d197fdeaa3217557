"""Serve another kept deployment, earlier or later, without an upload.

For what was served before, it is one flip. What never was is published as a new deployment of the
same files, in the lane and checked at the edge; so is a release that the index gave up for room.
The objects are in the bucket still.

Whoever goes back means it: until publishing is resumed, or the newest deployment is chosen, later
ones end ready to be published.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from cloudadmin.aws import BotoCoreError, ClientError
from deployments import lane, log, operations, publish
from deployments.edge import index_rows, verification
from deployments.errors import DeploymentRefused
from deployments.models import Deployment
from deployments.progress import deciding
from deployments.target import target_of
from sites.access import clients_for
from sites.models import Site

logger = logging.getLogger(__name__)

State, Phase = Deployment.State, Deployment.Phase
Environment = Deployment.Environment

if TYPE_CHECKING:
    from django.contrib.auth.models import User


def rollback(
    site: Site,
    number: int | None = None,
    creator: User | None = None,
    *,
    instead_of: int | None = None,
) -> Deployment:
    """Publish deployment ``number``, or the one before the one that is served; with ``instead_of``
    only while that is the one that is served (0: none is).

    The flip waits for nobody: a deployment that is being verified meanwhile ends unpublished. Where
    AWS does not answer, it is recorded all the same, and beat makes it. Returns the deployment that
    is served, or a new one with the same files that the caller brings to its end with
    ``operations.advance``. Raises DeploymentRefused.
    """
    target_of(site)
    with deciding(site):
        before = publish.served(site)
        _raise_if_moved(before, instead_of)
        chosen = _chosen(site, number)
        was_served = chosen.published_at is not None and index_rows.can_name(chosen)
        _hold_or_release(site, chosen, creator)
        if was_served:
            index_rows.name_head(site, chosen.release_number)
            publish.mark_published(chosen)
            by = f" by {creator}" if creator else ""
            log.say(chosen, f"Published again{by}: every visitor gets it.")
        else:
            new = again(chosen, creator, f"Deployment #{chosen.number} again")
    if not was_served:
        return new
    _serve(site, with_page=publish.has_another_error_page(before, chosen))
    return chosen


def check(deployment: Deployment) -> verification.Mismatch | None:
    """Whether the edge serves this deployment; the first file that is not so, or None."""
    manifest = publish.manifest_of(deployment)
    wanted = verification.expected(deployment.site, manifest)
    return verification.check(target_of(deployment.site), wanted)


def write_head(site: Site) -> None:
    """Flip to what the row says: after a crash, or for a host that joined."""
    _serve(site, with_page=True)


def _serve(site: Site, *, with_page: bool) -> None:
    write = publish.restore if with_page else publish.flip
    try:
        write(site, target_of(site), clients_for(site.account))
    except (ClientError, BotoCoreError, DeploymentRefused):
        logger.warning("the head of %s could not be written; it is tried again", site.name)


def sites_with_unwritten_head() -> QuerySet[Site]:
    """Of which nobody is about to write it."""
    flipping = Deployment.objects.filter(
        site=OuterRef("pk"), phase__in=[Phase.FLIP, Phase.VERIFY], lease_until__gte=timezone.now()
    )
    return (
        Site.objects.select_related("account")
        .filter(~Exists(flipping), edge_index__is_head_written=False)
        .exclude(state=Site.State.DESTROYING)
    )


def kept(site: Site) -> QuerySet[Deployment]:
    """Deployments that can be published: uploaded whole, not found wrong, not pruned."""
    return (
        Deployment.objects.filter(
            site=site, state__in=[State.SUCCESS, State.INACTIVE], pruned_at__isnull=True
        )
        .exclude(phase__in=operations.UPLOADING)
        .exclude(manifest=b"")
    )


def _raise_if_moved(served: Deployment | None, instead_of: int | None) -> None:
    number = served.number if served else 0
    if instead_of is None or instead_of == number:
        return
    was, now = (f"#{n}" if n else "nothing" for n in (instead_of, number))
    raise DeploymentRefused(
        f"Nothing was done: {was} was served when this was shown, and {now} is served now. Look at "
        "what would change, then decide again."
    )


def _hold_or_release(site: Site, chosen: Deployment, creator: User | None) -> None:
    good = Q(state=State.SUCCESS) | Q(published_at__isnull=False)
    newest = kept(site).filter(good, environment=Environment.PRODUCTION).first()
    if newest is None or newest.number <= chosen.number:
        lane.release_hold(site)
    else:
        by = f" by {creator}" if creator else ""
        lane.hold(site, f"rolled back to #{chosen.number}{by}")


def again(
    chosen: Deployment,
    creator: User | None,
    message: str,
    *,
    trigger: str = Deployment.Trigger.ROLLBACK,
    environment: str = Environment.PRODUCTION,
    label: str = "",
) -> Deployment:
    """A new deployment of the same files, which the bucket has; it waits for its turn."""
    deployment = operations.create(
        chosen.site,
        f"deployment #{chosen.number}",
        message=message,
        creator=creator,
        trigger=trigger,
        environment=environment,
        label=label,
        ref=chosen.ref,
        sha=chosen.sha,
        author=chosen.author,
    )
    Deployment.objects.filter(pk=deployment.pk).update(
        phase=Phase.QUEUE,
        manifest=chosen.manifest,
        files=chosen.files,
        unchanged=chosen.files,
    )
    deployment.refresh_from_db()
    return deployment


def _chosen(site: Site, number: int | None) -> Deployment:
    served = publish.served(site)
    if number is None:
        before = kept(site).filter(published_at__isnull=False, is_published=False)
        if served is not None:
            # Published, but not served any more or not yet: one is being verified.
            before = kept(site).filter(published_at__isnull=False, number__lt=served.number)
        chosen = before.first()
        if chosen is None:
            raise DeploymentRefused(f"{site.name} has no earlier deployment to go back to.")
        return chosen
    if served is not None and served.number == number:
        raise DeploymentRefused(f"Deployment #{number} of {site.name} is live already.")
    chosen = kept(site).filter(number=number).first()
    if chosen is None:
        raise DeploymentRefused(_why_not(site, number))
    return chosen


def _why_not(site: Site, number: int) -> str:
    row = Deployment.objects.filter(site=site, number=number).first()
    if row is None:
        return f"{site.name} has no deployment #{number}."
    if row.pruned_at is not None:
        return f"Deployment #{number} of {site.name} was given up to save room; deploy it again."
    if row.state in Deployment.ACTIVE:
        return f"Deployment #{number} of {site.name} is under way still."
    return f"Deployment #{number} of {site.name} cannot be published: {row.error_message}"
