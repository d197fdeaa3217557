from deployments.models.bulk import BulkItem, BulkRun
from deployments.models.deployment import Deployment
from deployments.models.edge_index import EdgeIndex, IndexBucket
from deployments.models.invalidation import Invalidation
from deployments.models.launch import Launch
from deployments.models.log import DeploymentEvent
from deployments.models.notification import Event, Listener, Message, Notice
from deployments.models.picture import SitePicture
from deployments.models.repository import Delivery, Repository
from deployments.models.settings import DeploySettings
from deployments.models.token import DeployToken, Scope, TrustedRepository

__all__ = [
    "BulkItem",
    "BulkRun",
    "Delivery",
    "DeploySettings",
    "DeployToken",
    "Deployment",
    "DeploymentEvent",
    "EdgeIndex",
    "Event",
    "IndexBucket",
    "Invalidation",
    "Launch",
    "Listener",
    "Message",
    "Notice",
    "Repository",
    "Scope",
    "SitePicture",
    "TrustedRepository",
]
