"""Whether the edge's index has room for a release: told before anything is uploaded."""

from __future__ import annotations

from django.db.models import Max

from deployments import edge_index
from deployments.edge_index import DigestCollision, IndexFull
from deployments.errors import DeploymentRefused
from deployments.manifest import Manifest
from deployments.models import Deployment, EdgeIndex
from sites.models import Site

# A record, in the old generation and in a new one beside it, and the keys of both.
BYTES_OF_A_FILE = 2 * edge_index.RECORD + 8


def raise_if_full(site: Site, manifest: Manifest) -> None:
    """Raises DeploymentRefused, with the numbers. What fits for certain is not worked out."""
    row = EdgeIndex.objects.filter(site=site).first()
    index = edge_index.Index()
    if row is not None:
        buckets = row.bucket_rows.filter(generation=row.generation)
        values = dict(buckets.values_list("number", "value"))
        index = edge_index.Index(row.generation, row.buckets, values)
    used = sum(map(len, index.values.values()))
    if 2 * used + len(manifest.entries) * BYTES_OF_A_FILE <= edge_index.MAX_STORE:
        return
    last = Deployment.objects.filter(site=site).aggregate(last=Max("release_number"))["last"]
    served = [row.head_release] if row is not None and row.head_release else []
    wanted = {path: entry.hash for path, entry in manifest.entries.items()}
    try:
        edge_index.append(index, (last or 0) + 1, wanted, reachable=served)
    except (IndexFull, DigestCollision) as full:
        raise DeploymentRefused(f"Nothing was uploaded: {full}") from full
