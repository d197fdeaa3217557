"""Which head each host of a site has: it serves the release, or sends its visitors elsewhere.

What a head says is a matter of seconds; which hosts reach the edge is the distribution's, and takes
minutes. So a host has its head before the first visitor can come, and keeps it after the last one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from django.db import transaction

from deployments import edge_index
from deployments.models import EdgeIndex
from deployments.target import Target, target_of
from sites.models import Site

SLASH_FLAGS = {Site.TrailingSlash.ALWAYS: "a", Site.TrailingSlash.NEVER: "n"}


@dataclass(frozen=True)
class Heads:
    """What one UpdateKeys makes of the hosts of a site."""

    values: Mapping[str, str]
    gone: frozenset[str]

    @property
    def puts(self) -> dict[str, str]:
        return {edge_index.head_key(host): value for host, value in self.values.items()}

    @property
    def deletes(self) -> list[str]:
        return [edge_index.head_key(host) for host in sorted(self.gone)]


def name(site: Site, target: Target) -> Heads:
    """What to write now. Recorded before it is written, so that no head is forgotten."""
    with transaction.atomic():
        row = _lock(site)
        values = _values(row, target)
        gone = frozenset(row.heads) - values.keys()
        row.heads |= values
        row.save(update_fields=["heads"])
    return Heads(values, gone)


def were_written(site: Site, heads: Heads) -> None:
    """Unless something else was asked for in the meantime."""
    with transaction.atomic():
        row = _lock(site)
        row.heads = dict(heads.values)
        row.is_head_written = _values(row, target_of(row.site)) == heads.values
        row.save(update_fields=["heads", "is_head_written"])


def _lock(site: Site) -> EdgeIndex:
    """With the site as it is now: the caller's may be older than the last change of it."""
    rows = EdgeIndex.objects.select_for_update(of=("self",)).select_related("site")
    return rows.get(site=site)


def _values(row: EdgeIndex, target: Target) -> dict[str, str]:
    serving = _serving(row)
    values = dict.fromkeys(target.hosts, serving)
    for host, first in target.redirects.items():
        redirect = edge_index.redirect_head(first)
        # Never to a domain that not every point of presence has heard of.
        if first in target.attached or row.heads.get(host) == redirect:
            values[host] = redirect
    if not target.is_settled:
        values |= {host: serving for host in row.heads if host not in values}
    return values


def _serving(row: EdgeIndex) -> str:
    shape = edge_index.Index(generation=row.generation, buckets=row.buckets)
    slash = SLASH_FLAGS.get(Site.TrailingSlash(row.site.trailing_slash), "")
    flags = ("s" if row.site.is_spa else "") + slash
    return edge_index.head(row.head_release or 0, shape, flags)
