"""Whether the edge's index has room for a release: told before anything is uploaded."""

from __future__ import annotations

from django.db.models import Max

from deployments.edge import edge_index, index_shape
from deployments.edge.edge_index import DigestCollision, IndexFull
from deployments.errors import DeploymentRefused
from deployments.manifest import Manifest
from deployments.models import Deployment, EdgeIndex
from sites.models import Site


def raise_if_full(site: Site, manifest: Manifest) -> None:
    """Raises DeploymentRefused, with the numbers. Counted is what must stay; the rest goes."""
    row = EdgeIndex.objects.filter(site=site).first() or EdgeIndex(site=site)
    index = index_shape.newest(row) if row.pk else edge_index.Index()
    occupied = index_shape.occupied(row) if row.pk else 0
    if edge_index.surely_fits(index, len(manifest.entries), occupied):
        return
    last = Deployment.objects.filter(site=site).aggregate(last=Max("release_number"))["last"] or 0
    served = [row.head_release] if row.head_release else []
    wanted = {path: entry.hash for path, entry in manifest.entries.items()}
    try:
        edge_index.append(index, last + 1, wanted, reachable=served, occupied=occupied)
    except (IndexFull, DigestCollision) as full:
        raise DeploymentRefused(f"Nothing was uploaded: {full}") from full
