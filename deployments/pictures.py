"""Pictures of sites, as visitors see them: taken after a publish, by a browser that may be missing.

A picture is a nicety. None is taken of a site that asks for a password or is in maintenance, and
nothing here fails or delays a deployment.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from hashlib import sha256
from urllib.parse import urlsplit

import httpx
from django.conf import settings
from django.db.models import F
from django.utils import timezone

from cloudadmin import tls
from deployments import browser, target
from deployments.browser import NoPicture
from deployments.models import Deployment, DeploySettings, SitePicture
from sites.models import Resource, Site

# Older ones were tried, or are not worth the time.
RECENT = timedelta(hours=1)
SCALES = (0.5, 0.375, 0.25)
LARGEST = 60_000


def take_next() -> bool:
    """Of the site that was published last and has none of that; whether there was one."""
    found = browser.find(settings.CLOUDADMIN_CHROMIUM)
    deployment = due() if found else None
    if deployment is None:
        return False
    take(deployment, found)
    return True


def due() -> Deployment | None:
    published = Deployment.objects.filter(
        is_published=True,
        published_at__gt=timezone.now() - RECENT,
        site__state=Site.State.LIVE,
    )
    return (
        published.exclude(site__picture__deployment=F("pk"))
        .select_related("site")
        .defer("manifest")
        .order_by("-published_at")
        .first()
    )


def take(deployment: Deployment, found: str) -> SitePicture:
    """With the browser that was ``found``; what came of it is in the row."""
    image, problem = b"", ""
    try:
        _require_open(deployment.site)
        image = _shot(deployment.site, found)
    except NoPicture as error:
        problem = str(error)[:300]
    row, _ = SitePicture.objects.update_or_create(
        site=deployment.site,
        defaults={
            "deployment": deployment,
            "image": image,
            "digest": sha256(image).hexdigest() if image else "",
            "problem": problem,
            "taken_at": timezone.now(),
        },
    )
    return row


def _require_open(site: Site) -> None:
    row = DeploySettings.objects.filter(site=site).first()
    if row and row.is_in_maintenance:
        raise NoPicture("No picture is taken while the site is in maintenance.")
    if row and row.protection:
        raise NoPicture("No picture is taken of a site that asks for a password.")


def _shot(site: Site, found: str) -> bytes:
    address = target.address(site)
    if not address:
        raise NoPicture("The site has no address yet.")
    hosts = dict(_hosts(site, address))
    _require_page(address, next(iter(hosts.values())))
    for scale in SCALES:
        image = browser.shoot(found, address, hosts, scale)
        if len(image) <= LARGEST:
            return image
    raise NoPicture(f"The picture is larger than {LARGEST // 1000} kB.")


def _hosts(site: Site, address: str) -> Iterator[tuple[str, str]]:
    """What the page may ask, and who answers: the distribution itself, wherever the DNS of the
    site's domains leads."""
    if settings.CLOUDADMIN_EDGE_URL:
        edge, at = urlsplit(settings.CLOUDADMIN_EDGE_URL), urlsplit(address)
        yield f"{at.hostname}:{at.port or 80}", f"{edge.hostname}:{edge.port or 80}"
        return
    row = Resource.objects.filter(site=site, logical_id="distribution").first()
    attributes = row.attributes if row else {}
    own = attributes["domain_name"]
    for host in (own, *attributes.get("aliases", ())):
        if not host.startswith("*."):
            yield f"{host}:443", f"{own}:443"


def _require_page(address: str, answers: str) -> None:
    """So that no page of errors is taken for the site."""
    at = urlsplit(address)
    local = bool(settings.CLOUDADMIN_EDGE_URL)
    url = f"{at.scheme}://{answers}/" if local else f"https://{answers.removesuffix(':443')}/"
    headers = {"Host": at.netloc} if local else {}
    try:
        with httpx.stream(
            "GET", url, headers=headers, timeout=10, verify=tls.authorities(), trust_env=False
        ) as response:
            status, kind = response.status_code, response.headers.get("content-type", "")
    except httpx.HTTPError as error:
        raise NoPicture("The site did not answer.") from error
    if status != httpx.codes.OK or "html" not in kind:
        raise NoPicture(f"The site answers its address with {status}, not with a page.")
