"""Which index the heads of a site name, and what else is in its store.

A deployment may have begun another index than the one that heads name: of that, a point of presence
would know nothing as yet. So the one that has settled is kept beside the heads, in
``EdgeIndex.heads``, as ``g:``, which no host name can be. The caller has the row's lock, and saves
it.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db.models import Count, Sum
from django.db.models.functions import Length
from django.utils import timezone

from deployments.edge import edge_index

if TYPE_CHECKING:
    from deployments.models import EdgeIndex

SHAPE = "g:"
# Bytes of the longest key of a bucket.
KEY = 12


def settled(row: EdgeIndex) -> edge_index.Index:
    """What heads say of the index, without its values."""
    kept = row.heads.get(SHAPE, {"generation": row.generation, "buckets": row.buckets})
    return edge_index.Index(kept["generation"], kept["buckets"])


def newest(row: EdgeIndex) -> edge_index.Index:
    """What the next deployment is added to, with its values."""
    buckets = row.bucket_rows.filter(generation=row.generation)
    return edge_index.Index(
        row.generation, row.buckets, dict(buckets.values_list("number", "value"))
    )


def settle(row: EdgeIndex) -> None:
    """From here on heads name the newest: everything that it has was written, and has settled.

    Called where it is decided to serve a release of it, by whoever is in the lane.
    """
    kept = row.heads.get(SHAPE, {})
    if (kept.get("generation"), kept.get("buckets")) != (row.generation, row.buckets):
        row.heads[SHAPE] = {"generation": row.generation, "buckets": row.buckets}


def were_written(row: EdgeIndex) -> None:
    """Every head names it now."""
    if SHAPE in row.heads:
        row.heads[SHAPE].setdefault("since", timezone.now().isoformat())


def is_everywhere(row: EdgeIndex) -> bool:
    """Whether no point of presence has heads of an earlier one any more."""
    since = row.heads.get(SHAPE, {}).get("since")
    settling = timedelta(seconds=settings.CLOUDADMIN_SETTLE_SECONDS)
    return (
        row.is_head_written
        and since is not None
        and timezone.now() - datetime.fromisoformat(since) >= settling
    )


def needed(row: EdgeIndex) -> set[int]:
    """Generations: the one that heads name, and the newest."""
    return {settled(row).generation, row.generation}


def occupied(row: EdgeIndex) -> int:
    """Bytes that stay in the store beside the newest generation: that of the heads, where it is
    another one, the heads, and their rules."""
    others = row.bucket_rows.filter(generation__in=needed(row) - {row.generation})
    found = others.aggregate(bytes=Sum(Length("value")), keys=Count("pk"))
    beside = sum(
        len(key) + len(value)
        for name, kept in row.heads.items()
        for key, value in _keys(name, kept).items()
    )
    total: int = (found["bytes"] or 0) + KEY * found["keys"] + beside
    return total


def _keys(name: str, kept: Any) -> dict[str, str]:
    if isinstance(kept, str):
        return {edge_index.head_key(name): kept}
    puts: dict[str, str] = kept.get("puts", {}) if isinstance(kept, dict) else {}
    return puts
