"""What of a site's deployments needs a person."""

from __future__ import annotations

from django.db.models import Q, QuerySet

from deployments.models import Deployment
from sites.admin.attention import Reason


def failed_deployments() -> QuerySet[Deployment]:
    """Failed ones that no later deployment of their site has made up for."""
    return Deployment.objects.filter(needs_attention=True).defer("manifest")


FAILED_DEPLOYMENT = Reason(
    "deployment",
    "A deployment failed",
    lambda: Q(pk__in=failed_deployments().order_by().values("site")),
)
