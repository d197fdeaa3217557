"""Deployments as the pages show them: a word for their state, how far each is, what can be done."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.urls import reverse
from django.utils.safestring import SafeString

from deployments import lane, previews
from deployments.models import Deployment
from deployments.progress import timings
from deployments.rollback import kept
from sites.admin.base import badge
from sites.models import Site

State, Phase, Environment = Deployment.State, Deployment.Phase, Deployment.Environment

# Hundredths of the chart: what took no time at all is seen still.
THINNEST = 0.5
# How the guard of secrets names paths: “.env” would be public: … So would “b.key” (…).
REFUSED_PATH = re.compile(r"“([^”]+)”(?= would be public:| \()")
MISSING_PATH = re.compile(r"“([^”]+)”(?= to be missing)")


@dataclass(frozen=True)
class Shown:
    """A deployment with what a page says of it; ``published`` is the number of the published one,
    or 0. ``address`` is that of its preview, if it has one."""

    row: Deployment
    published: int = 0
    can_publish: bool = False
    address: str = ""

    @property
    def badge(self) -> SafeString:
        kind, word = word_for(self.row)
        is_late = word == "Ready" and self.row.number < self.published
        return badge(State.INACTIVE, "Not published") if is_late else badge(kind, word)

    @property
    def has_failed(self) -> bool:
        return self.row.state in Deployment.FAILED

    @property
    def is_past(self) -> bool:
        """Whether it failed, and a later one is served."""
        return self.has_failed and self.row.number < self.published

    @property
    def verb(self) -> str:
        if self.row.environment == Environment.PREVIEW:
            return "Publish"
        return "Roll back" if self.row.number < self.published else "Publish"

    @property
    def publish_url(self) -> str:
        slug = "rollback" if self.verb == "Roll back" else "publish"
        page = reverse(f"admin:sites_site_{slug}", args=[self.row.site_id])
        return f"{page}?to={self.row.number}"

    @property
    def can_be_repeated(self) -> bool:
        """Whether it failed for paths that a person may let through."""
        return self.has_failed and bool(refused_paths(self.row.error_message))


@dataclass(frozen=True)
class UnderWay:
    """A deployment that is under way; ``before`` says what its turn waits for."""

    row: Deployment
    before: tuple[Deployment, ...] = ()

    @property
    def share(self) -> int | None:
        """Hundredths of its upload; None when that is not known, or over."""
        row = self.row
        if row.phase != Phase.UPLOAD or not row.objects_total:
            return None
        done, total = (
            (row.bytes, row.bytes_total) if row.bytes_total else (row.uploaded, row.objects_total)
        )
        return min(100, 100 * done // total)

    @property
    def can_be_cancelled(self) -> bool:
        return self.row.phase in lane.BEFORE_FLIP and not self.row.cancel_requested


@dataclass(frozen=True)
class Span:
    """A phase in the chart of a deployment's time: seconds, and hundredths of the whole."""

    title: str
    seconds: float
    start: float
    width: float


def word_for(row: Deployment) -> tuple[str, str]:
    """The kind of a badge and its word."""
    if row.is_published:
        return "live", "Published"
    if row.is_previewed and row.state == State.SUCCESS:
        return "live", "Preview"
    if row.state in Deployment.ACTIVE:
        return row.state, row.get_phase_display()
    if row.pruned_at:
        return State.INACTIVE, "Given up"
    if row.state == State.SUCCESS and row.environment == Environment.PRODUCTION:
        return ("inactive", "Was published") if row.published_at else ("waits", "Ready")
    if row.state == State.INACTIVE and row.published_at:
        return State.INACTIVE, "Was published"
    if row.state == State.INACTIVE and row.cancel_requested:
        return State.INACTIVE, "Cancelled"
    return row.state, row.get_state_display()


def shown(site: Site, rows: Sequence[Deployment], published: Deployment | None) -> list[Shown]:
    """In few queries, however many rows."""
    number = published.number if published else 0
    ours = kept(site).filter(pk__in=[row.pk for row in rows])
    can = set(ours.values_list("pk", flat=True))
    links = preview_links([row for row in rows if row.is_previewed])
    return [
        Shown(row, number, row.pk in can and not row.is_published, links.get(row.pk, ""))
        for row in rows
    ]


def preview_links(rows: Sequence[Deployment]) -> dict[int, str]:
    """The addresses of previews of one site, by primary key: they differ in their first label
    alone, so one is asked for."""
    if not rows:
        return {}
    scheme, _, host = previews.url_of(rows[0]).partition("://")
    base = host.partition(".")[2]
    return {row.pk: f"{scheme}://{row.label}.{base}" for row in rows}


def under_way(rows: Iterable[Deployment]) -> list[UnderWay]:
    """All of a site that are under way, who comes first at the top."""
    active = list(rows)
    in_lane = [row for row in active if row.phase in lane.IN_LANE]
    waiting = lane.in_order([row for row in active if row.phase == Phase.QUEUE])
    line = in_lane + waiting
    others = [row for row in active if row not in line]
    return [
        *(UnderWay(row) for row in in_lane),
        *(UnderWay(row, tuple(line[: len(in_lane) + place])) for place, row in enumerate(waiting)),
        *map(UnderWay, others),
    ]


def spans(row: Deployment) -> list[Span]:
    """Its phases, one after the other; the one that it is in lasts until now."""
    is_over = row.state not in Deployment.ACTIVE
    spent: dict[str, float] = row.timings if is_over else timings(row)
    total = sum(spent.values()) or 1.0
    found, start = [], 0.0
    for phase in Phase:
        seconds = spent.get(phase, 0.0)
        if phase != Phase.DONE and seconds > 0:
            width = 100 * seconds / total
            left, wide = min(start, 100 - THINNEST), max(width, THINNEST)
            found.append(Span(str(phase.label), seconds, round(left, 2), round(wide, 2)))
            start += width
    return found


def refused_paths(message: str) -> list[str]:
    """What a person may let through of what the guard of sources refused: files that look secret,
    or a start page that is not there."""
    pattern = REFUSED_PATH if "would be public" in message else MISSING_PATH
    paths = pattern.findall(message)
    return list(dict.fromkeys(paths))
