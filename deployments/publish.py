"""Make a release the one that is served."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from celery import current_app
from django.db import transaction
from django.utils import timezone

from deployments import log
from deployments.edge import heads, index_rows
from deployments.manifest import Manifest, object_key
from deployments.models import Deployment, EdgeIndex
from sites.waking import wake

if TYPE_CHECKING:
    from cloudadmin.aws import Clients
    from deployments.target import Target
    from sites.models import Site

# CloudFront fetches error pages without the router, so the release's own page has a fixed key too.
ERROR_PAGE_PATH = "404.html"
ERROR_PAGE_KEY = "errors/404.html"
ERROR_PAGE = b"""<!doctype html><html lang="en"><meta charset="utf-8">
<meta name="viewport" content="width=device-width"><title>Page not found</title>
<style>body{font:1.1rem/1.6 system-ui,sans-serif;max-width:32rem;margin:20vh auto;padding:0 1.5rem}
@media(prefers-color-scheme:dark){body{background:#111;color:#ddd}a{color:#9cf}}</style>
<h1>Page not found</h1>
<p>There is nothing at this address. <a href="/">Go to the start page</a>.</p>
"""
# Calls in a row: rules, heads, and should others be recorded again and again; beat does the rest.
FLIPS = 4
HTML, BRIEFLY = "text/html; charset=utf-8", "public, max-age=60"


def flip(site: Site, target: Target, clients: Clients) -> None:
    """Write the heads as they are recorded: those of production in one all-or-nothing call.

    They name what has settled: records that a deployment has not written yet are not waited for,
    and new passwords are written now, and named by a worker in a while.
    When somebody else recorded others meanwhile, whoever wrote last writes those too.
    """
    for _ in range(FLIPS):
        named = index_rows.update_keys(clients, target.store_arn, lambda: heads.name(site, target))
        pause = heads.were_written(site, named)
        if pause is None:
            return
        if pause:
            _wake_in(site, pause)
            return


def _wake_in(site: Site, seconds: float) -> None:
    """Should no worker hear it, beat does it."""
    wake(current_app.send_task, "deployments.write_head", (site.pk,), countdown=seconds)


def served(site: Site) -> Deployment | None:
    """What the heads name, or shall name: the published deployment, or one that is verified."""
    release = EdgeIndex.objects.filter(site=site).values_list("head_release", flat=True).first()
    named = Deployment.objects.filter(site=site, release_number=release).first()
    return (named if release is not None else None) or published(site)


def published(site: Site) -> Deployment | None:
    return Deployment.objects.filter(site=site, is_published=True).first()


def published_manifest(site: Site) -> Manifest:
    row = published(site)
    return manifest_of(row) if row else Manifest({})


def manifest_of(deployment: Deployment) -> Manifest:
    return _parsed(bytes(deployment.manifest))


@lru_cache(maxsize=2)
def _parsed(raw: bytes) -> Manifest:
    """The steps of one deployment need its manifest, and the one before, again and again."""
    return Manifest.from_bytes(raw)


def mark_published(deployment: Deployment) -> None:
    others = Deployment.objects.filter(site=deployment.site, is_published=True).exclude(
        pk=deployment.pk
    )
    with transaction.atomic():
        for row in others.defer("manifest"):
            log.say(row, f"Visitors get #{deployment.number} instead.")
        others.update(is_published=False, state=Deployment.State.INACTIVE)
        deployment.is_published = True
        deployment.state = Deployment.State.SUCCESS
        deployment.published_at = timezone.now()
        deployment.save(update_fields=["is_published", "state", "published_at"])


def take_over(deployment: Deployment) -> bool:
    """Whether the deployment is what is served already. Then it gets the release of the published
    one: nothing is written, at the edge nothing changes. The caller has the site's lock."""
    before = published(deployment.site)
    if before is None or before.release_number is None:
        return False
    named = EdgeIndex.objects.filter(
        site=deployment.site, is_head_written=True, head_release=before.release_number
    )
    if bytes(before.manifest) != bytes(deployment.manifest) or not named.exists():
        return False
    Deployment.objects.filter(pk=before.pk).update(release_number=None)
    deployment.write(release_number=before.release_number, generation=before.generation)
    mark_published(deployment)
    return True


def put_error_page(manifest: Manifest, target: Target, clients: Clients) -> None:
    entry = manifest.entries.get(ERROR_PAGE_PATH)
    if entry is None:
        clients.s3.put_object(
            Bucket=target.bucket_name,
            Key=ERROR_PAGE_KEY,
            Body=ERROR_PAGE,
            ContentType=HTML,
            CacheControl=BRIEFLY,
        )
        return
    clients.s3.copy_object(
        Bucket=target.bucket_name,
        Key=ERROR_PAGE_KEY,
        CopySource={"Bucket": target.bucket_name, "Key": object_key(ERROR_PAGE_PATH, entry)},
        MetadataDirective="REPLACE",
        ContentType=HTML,
        CacheControl=BRIEFLY,
    )


def has_another_error_page(before: Deployment | None, after: Deployment) -> bool:
    if before is None:
        return True
    pages = [manifest_of(row).entries.get(ERROR_PAGE_PATH) for row in (before, after)]
    return pages[0] != pages[1]


def restore(site: Site, target: Target, clients: Clients) -> None:
    """Write what the rows say is served: its error page, then its heads. They count as unwritten
    until both are there."""
    row = served(site)
    if row is not None:
        put_error_page(manifest_of(row), target, clients)
    flip(site, target, clients)
