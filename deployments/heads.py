"""Which head each host of a site has: it serves a release, or sends its visitors elsewhere.

What a head says is a matter of seconds; which hosts reach the edge is the distribution's, and takes
minutes. So a host has its head before the first visitor can come, and keeps it after the last one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from django.db import transaction

from deployments import edge_index, edge_rules, head_rules, index_shape
from deployments.head_rules import PREVIEW, is_preview
from deployments.models import Deployment, DeploySettings, EdgeIndex
from deployments.preview_names import hosts_of
from deployments.target import Target, target_of
from sites.models import Site

SLASH_FLAGS = {Site.TrailingSlash.ALWAYS: "a", Site.TrailingSlash.NEVER: "n"}
MAINTENANCE = "m"


@dataclass(frozen=True)
class Heads:
    """What the next calls make of the hosts of a site: rules first, then production, then previews.

    ``rules`` are keys that heads refer to, ``stale`` those that no head will any more.
    """

    values: Mapping[str, str]
    gone: frozenset[str]
    rules: Mapping[str, str] = field(default_factory=dict)
    stale: frozenset[str] = frozenset()

    @property
    def puts(self) -> dict[str, str]:
        heads = {edge_index.head_key(host): value for host, value in self.values.items()}
        return {**self.rules, **heads}

    @property
    def deletes(self) -> list[str]:
        return [*(edge_index.head_key(host) for host in sorted(self.gone)), *sorted(self.stale)]


def name(site: Site, target: Target) -> Heads:
    """What to write now. Recorded before it is written, so that no head is forgotten."""
    with transaction.atomic():
        row = _lock(site)
        head = _Head(row)
        head_rules.use_protection(row, head.protection)
        values = _values(row, target, head)
        gone = frozenset(head_rules.hosts(row)) - values.keys()
        row.heads |= values
        row.save(update_fields=["heads"])
        return Heads(values, gone, head_rules.unwritten(row), head_rules.stale(row))


def were_written(site: Site, heads: Heads) -> None:
    """Unless something else was asked for in the meantime."""
    with transaction.atomic():
        row = _lock(site)
        for host in head_rules.hosts(row):
            del row.heads[host]
        row.heads |= heads.values
        head_rules.were_written(row, heads.rules, heads.stale)
        now = _values(row, target_of(row.site), _Head(row))
        row.is_head_written = now == heads.values and not head_rules.unwritten(row)
        if row.is_head_written:
            index_shape.were_written(row)
        row.save(update_fields=["heads", "is_head_written"])


class _Head:
    """Makes the heads of a site as its settings are now."""

    def __init__(self, row: EdgeIndex) -> None:
        self.row = row
        self.settings = DeploySettings.objects.filter(site=row.site_id).first() or DeploySettings()
        self.protection = edge_rules.protection(self.settings.protection, self.settings.cookie_key)
        site = row.site
        slash = SLASH_FLAGS.get(Site.TrailingSlash(site.trailing_slash), "")
        self.flags = ("s" if site.is_spa else "") + slash

    def production(self) -> str:
        flag = MAINTENANCE if self.settings.is_in_maintenance else ""
        return self._of(self.row.head_release or 0, self.flags + flag)

    def preview(self, release: int) -> str:
        """Maintenance is for the site: how it will be can be looked at meanwhile."""
        return self._of(release, self.flags + PREVIEW)

    def _of(self, release: int, flags: str) -> str:
        shape = index_shape.settled(self.row)
        rules = {"q": head_rules.redirects_of(self.row, release), "p": self.protection.head}
        said = {name: text for name, text in rules.items() if text}
        value = json.loads(edge_index.head(release, shape, flags)) | said
        return json.dumps(value, separators=(",", ":"))


def _lock(site: Site) -> EdgeIndex:
    """With the site as it is now: the caller's may be older than the last change of it."""
    rows = EdgeIndex.objects.select_for_update(of=("self",)).select_related("site")
    return rows.get(site=site)


def _values(row: EdgeIndex, target: Target, head: _Head) -> dict[str, str]:
    """Production first."""
    serving, there = head.production(), head_rules.hosts(row)
    values = dict.fromkeys(target.hosts, serving)
    for host, first in target.redirects.items():
        redirect = edge_index.redirect_head(first)
        # Never to a domain that not every point of presence has heard of.
        if first in target.attached or there.get(host) == redirect:
            values[host] = redirect
    previews = _previews(row, target, head)
    if not target.is_settled:
        previews |= {
            host: value if is_preview(value) else serving
            for host, value in there.items()
            if host not in previews and host.partition(".")[2] not in target.preview_domains
        }
    return values | {host: value for host, value in previews.items() if host not in values}


def _previews(row: EdgeIndex, target: Target, head: _Head) -> dict[str, str]:
    rows = Deployment.objects.filter(
        site=row.site_id, is_previewed=True, release_number__in=row.reachable
    )
    values: dict[str, str] = {}
    for deployment in rows.order_by("-number").defer("manifest"):
        for host in hosts_of(deployment, target.preview_domains):
            values.setdefault(host, head.preview(deployment.release_number or 0))
    return values
