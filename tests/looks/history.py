"""What a site has behind it before somebody looks: deployments with files and logs, visits."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import User
from django.template.defaultfilters import filesizeformat

from deployments.manifest import Entry, Manifest
from deployments.models import Deployment, DeploymentEvent
from sites.models import Kind, Site, VisitDay
from tests.factories import DeploymentFactory

Phase = Deployment.Phase
PAGES = ("index.html", "about/index.html", "contact/index.html", "menu/index.html", "404.html")
IMAGES = tuple(f"images/photograph-{n:02}.jpg" for n in range(1, 25))
REST = ("assets/site.css", "assets/site.js", "favicon.svg", "robots.txt", "feed.xml")
# What each deployment says, and the files in it that were not in the one before, or differ.
CHANGES = (
    ("First version", ()),
    ("New opening hours", ("index.html", "contact/index.html")),
    ("Fix the menu on phones", ("assets/site.css", "assets/site.js")),
    ("Autumn photographs", ("index.html", *IMAGES[18:], "feed.xml")),
)
TYPES = {"html": "text/html; charset=utf-8", "css": "text/css", "js": "text/javascript"}
LOG = (
    (0.0, Phase.UPLOAD, "Read {files} files of public.zip, {size} to upload."),
    (1.2, Phase.UPLOAD, "{files} files compared with the last deployment: {uploaded} are new."),
    (1.6, Phase.INDEX, "The edge index has it as release {number}."),
    (6.6, Phase.SETTLE, "Every point of presence has it."),
    (6.8, Phase.FLIP, "Visitors of 2 hosts get it from now on."),
    (7.4, Phase.VERIFY, "Asked the edge for {uploaded} paths: all are as deployed."),
    (7.4, Phase.DONE, "Published: every visitor gets it."),
)
TIMINGS = {"upload": 1.6, "index": 0.4, "settle": 5.0, "verify": 0.4}
# Of a hundred visits.
SHARES = (
    *((Kind.PATH, "/", 46), (Kind.PATH, "/menu/", 27), (Kind.PATH, "/about/", 15)),
    *((Kind.PATH, "/contact/", 12), (Kind.REFERRER, "", 52), (Kind.REFERRER, "google.com", 28)),
    *((Kind.REFERRER, "instagram.com", 13), (Kind.REFERRER, "duckduckgo.com", 7)),
    *((Kind.COUNTRY, "DE", 48), (Kind.COUNTRY, "AT", 24), (Kind.COUNTRY, "CH", 17)),
    *((Kind.COUNTRY, "NL", 11), (Kind.DEVICE, "mobile", 58), (Kind.DEVICE, "desktop", 36)),
    *((Kind.DEVICE, "tablet", 6), (Kind.DEPLOYMENT, "4", 100), (Kind.ALL, "", 100)),
)
WEEKDAYS = (0.8, 0.72, 0.78, 0.86, 1.0, 1.2, 1.1)


def deployments(site: Site, at: datetime, person: User) -> Deployment:
    """One of each change, the last of them published at that time; it is returned."""
    for number in range(1, len(CHANGES) + 1):
        since = at - timedelta(days=len(CHANGES) - number)
        row = _deployment(site, number, since, person)
    return row


def _deployment(site: Site, number: int, since: datetime, person: User) -> Deployment:
    description, changed = CHANGES[number - 1]
    manifest = _manifest(number)
    uploaded = [manifest.entries[path] for path in changed or manifest.entries]
    row: Deployment = DeploymentFactory(
        site=site,
        number=number,
        state=Deployment.State.INACTIVE if number < len(CHANGES) else Deployment.State.SUCCESS,
        description=description,
        author="Web team",
        creator=person,
        sha=hashlib.sha1(f"{site}{number}".encode(), usedforsecurity=False).hexdigest(),
        ref="main",
        manifest=manifest.to_bytes(),
        files=len(manifest.entries),
        uploaded=len(uploaded),
        unchanged=len(manifest.entries) - len(uploaded),
        bytes=sum(entry.size for entry in uploaded),
        timings=TIMINGS,
        is_published=number == len(CHANGES),
        published_at=since + timedelta(seconds=7.4),
        finished_at=since + timedelta(seconds=7.4),
    )
    Deployment.objects.filter(pk=row.pk).update(created_at=since)
    row.refresh_from_db()
    _say(row, since)
    return row


def _manifest(number: int) -> Manifest:
    """Of a deployment: the photographs of autumn came with the last."""
    images = IMAGES if number == len(CHANGES) else IMAGES[:18]
    return Manifest({path: _entry(path, number) for path in (*PAGES, *images, *REST)})


def _entry(path: str, number: int) -> Entry:
    versions = [n for n, (_, changed) in enumerate(CHANGES[:number], 1) if path in changed]
    version = max(versions, default=1)
    digest = hashlib.sha256(f"{path} {version}".encode()).hexdigest()
    ending = path.rpartition(".")[2]
    size = 40_000 + int(digest[:4], 16) if ending == "jpg" else 900 + int(digest[:3], 16)
    return Entry(digest, size, TYPES.get(ending, f"image/{ending}"), "no-cache")


def _say(row: Deployment, since: datetime) -> None:
    told = {
        "files": row.files,
        "uploaded": row.uploaded,
        "number": row.number,
        "size": filesizeformat(row.bytes),
    }
    DeploymentEvent.objects.bulk_create(
        DeploymentEvent(
            deployment=row,
            at=since + timedelta(seconds=seconds),
            phase=phase,
            text=text.format(**told),
        )
        for seconds, phase, text in LOG
    )


def visits(site: Site, most: int, now: datetime) -> None:
    """Of nine weeks, with weekends, and more of late."""
    rows = []
    for ago in range(65):
        day = (now - timedelta(days=ago)).date()
        count = most * WEEKDAYS[day.weekday()] * (1 - ago / 130)
        for kind, value, share in SHARES:
            of_day: dict[str, Any] = {"site": site, "day": day, "kind": kind, "value": value}
            of_kind = int(count * share / 100)
            rows.append(
                VisitDay(
                    **of_day, pageviews=of_kind, visits=of_kind // 2, visitors=of_kind * 2 // 5
                )
            )
    VisitDay.objects.bulk_create(rows)
