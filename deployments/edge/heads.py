"""Which head each host of a site has: it serves a release, or sends its visitors elsewhere.

What a head says is a matter of seconds; which hosts reach the edge is the distribution's, and takes
minutes. So a host has its head before the first visitor can come, and keeps it after the last one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from django.db import transaction

from deployments.edge import edge_index, edge_rules, head_rules, index_shape
from deployments.edge.head_rules import PREVIEW, is_preview
from deployments.models import Deployment, DeploySettings, EdgeIndex
from deployments.preview_names import hosts_of
from deployments.target import Target, target_of
from sites.models import Site

SLASH_FLAGS = {Site.TrailingSlash.ALWAYS: "a", Site.TrailingSlash.NEVER: "n"}
MAINTENANCE = "m"
# Beside the heads, where no host name can be: the hosts whose head the store may not have.
UNDER_WAY = "w:"


@dataclass(frozen=True)
class Heads:
    """What the next calls make of the hosts of a site: either rules, or, once they are there,
    production and then previews.

    ``rules`` are keys that heads refer to, ``stale`` those that no head will any more. Put are the
    ``changed`` hosts alone.
    """

    values: Mapping[str, str]
    gone: frozenset[str] = frozenset()
    changed: frozenset[str] = frozenset()
    rules: Mapping[str, str] = field(default_factory=dict)
    stale: frozenset[str] = frozenset()

    @property
    def puts(self) -> dict[str, str]:
        changed = {host: text for host, text in self.values.items() if host in self.changed}
        return {**self.rules, **{edge_index.head_key(host): text for host, text in changed.items()}}

    @property
    def deletes(self) -> list[str]:
        return [*(edge_index.head_key(host) for host in sorted(self.gone)), *sorted(self.stale)]


def name(site: Site, target: Target) -> Heads:
    """What to write now. Recorded before it is written, so that no head is forgotten."""
    with transaction.atomic():
        row = _lock(site)
        head = _Head(row)
        head_rules.use_protection(row, head.protection)
        rules = head_rules.unwritten(row)
        if rules:
            row.save(update_fields=["heads"])
            return Heads({}, rules=rules)
        values, there = _values(row, target, head), head_rules.hosts(row)
        changed = {host for host, value in values.items() if there.get(host) != value}
        changed |= {*row.heads.get(UNDER_WAY, values)}
        row.heads |= values | {UNDER_WAY: sorted(changed)}
        row.save(update_fields=["heads"])
        gone = frozenset(there) - values.keys()
        return Heads(values, gone, frozenset(changed), stale=head_rules.stale(row))


def were_written(site: Site, heads: Heads) -> float | None:
    """Record it. The seconds after which more is to be written: rules have to settle, or something
    else was asked for in the meantime; None when nothing is."""
    with transaction.atomic():
        row = _lock(site)
        if not heads.rules:
            for host in head_rules.hosts(row):
                del row.heads[host]
            row.heads |= {**heads.values, UNDER_WAY: []}
        head_rules.were_written(row, heads.rules, heads.stale)
        head = _Head(row)
        pause = head_rules.protection_settles_in(row, head.protection)
        if _values(row, target_of(row.site), head) != heads.values or head_rules.unwritten(row):
            pause = 0.0
        row.is_head_written = pause is None
        if row.is_head_written:
            index_shape.were_written(row)
        row.save(update_fields=["heads", "is_head_written"])
        return pause


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
        rules = {
            "q": head_rules.redirects_of(self.row, release),
            "p": head_rules.protection_of(self.row, self.protection),
        }
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
