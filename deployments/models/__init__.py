from deployments.models.deployment import Deployment
from deployments.models.edge_index import EdgeIndex, IndexBucket
from deployments.models.invalidation import Invalidation

__all__ = ["Deployment", "EdgeIndex", "IndexBucket", "Invalidation"]
