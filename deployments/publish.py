"""Make a release the one that is served, prove it at the edge, take it back when it is not so."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

import httpx
from django.conf import settings

from deployments import heads, index_rows
from deployments.manifest import object_key

if TYPE_CHECKING:
    from cloudadmin.aws import Clients
    from deployments.manifest import Entry, Manifest
    from deployments.target import Target
    from sites.models import Site

# CloudFront fetches error pages without the router, so the release's own page has a fixed key too.
ERROR_PAGE_KEY = "errors/404.html"
ERROR_PAGE = b"""<!doctype html><html lang="en"><meta charset="utf-8">
<meta name="viewport" content="width=device-width"><title>Page not found</title>
<style>body{font:1.1rem/1.6 system-ui,sans-serif;max-width:32rem;margin:20vh auto;padding:0 1.5rem}
@media(prefers-color-scheme:dark){body{background:#111;color:#ddd}a{color:#9cf}}</style>
<h1>Page not found</h1>
<p>There is nothing at this address. <a href="/">Go to the start page</a>.</p>
"""
HTML, BRIEFLY = "text/html; charset=utf-8", "public, max-age=60"
# Files that one verification fetches at most, and the largest that it reads whole.
MAX_CHECKED = 40
MAX_CHECKED_BYTES = 5_000_000


@dataclass(frozen=True)
class Mismatch:
    """What the edge answered instead of the file."""

    path: str
    reason: str


def flip(site: Site, target: Target, clients: Clients) -> None:
    """Name the recorded release in the head of every host, in one all-or-nothing call.

    Records first: a deploy that was killed may have left some that no head may go without.
    """
    index_rows.write(site, clients, target.store_arn)
    named = heads.name(site, target)
    index_rows.update_keys(clients, target.store_arn, named.puts, named.deletes)
    heads.were_written(site, named)


def put_error_page(manifest: Manifest, target: Target, clients: Clients) -> None:
    entry = manifest.entries.get("404.html")
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
        CopySource={"Bucket": target.bucket_name, "Key": object_key("404.html", entry)},
        MetadataDirective="REPLACE",
        ContentType=HTML,
        CacheControl=BRIEFLY,
    )


def sample(entries: dict[str, Entry], changed: set[str]) -> dict[str, Entry]:
    """What to fetch: changed files first, then a spread of the others, up to the cap."""
    first = sorted(changed & entries.keys())
    others = sorted(entries.keys() - changed)
    spread = others[:: max(1, len(others) // 10)]
    return {path: entries[path] for path in [*first, *spread][:MAX_CHECKED]}


def check(host: str, entries: dict[str, Entry]) -> Mismatch | None:
    """Fetch every entry through the edge; the first that is not what was deployed, or None.

    Redirects are followed: a page may have another address than its name.
    """
    base = settings.CLOUDADMIN_EDGE_URL or f"https://{host}"
    with httpx.Client(
        base_url=base, headers={"Host": host}, timeout=10, follow_redirects=True, max_redirects=2
    ) as client:
        for path, entry in entries.items():
            mismatch = _check_one(client, path, entry)
            if mismatch is not None:
                return mismatch
    return None


def url_path(path: str) -> str:
    """The address of a file: folders have the address of their index page."""
    if path == "index.html" or path.endswith("/index.html"):
        path = path.removesuffix("index.html")
    return "/" + quote(path, safe="/~")


def _check_one(client: httpx.Client, path: str, entry: Entry) -> Mismatch | None:
    whole = entry.size <= MAX_CHECKED_BYTES
    try:
        response = client.request("GET" if whole else "HEAD", url_path(path))
    except (httpx.TransportError, httpx.TooManyRedirects) as error:
        return Mismatch(path, f"the edge does not answer ({error})")
    if response.status_code != 200:
        return Mismatch(path, f"the edge answered {response.status_code}")
    if whole and hashlib.sha256(response.content).hexdigest() != entry.sha256:
        return Mismatch(path, "the edge answered other bytes than the ones deployed")
    return None
