"""What of a site's deployments needs a person."""

from __future__ import annotations

from django.db.models import Q, QuerySet
from django.db.models.expressions import RawSQL

from deployments.models import Deployment
from sites.admin.attention import Reason

# The newest failed one of each site, unless a later one succeeded: from two indexes alone
# (deployments_failed, deployments_succeeded), for there may be a million rows.
UNREPAIRED = """
WITH failed AS MATERIALIZED (
  SELECT site_id, max(number) AS number FROM deployments_deployment
  WHERE state IN ('failure', 'error') GROUP BY site_id
), unrepaired AS MATERIALIZED (
  SELECT * FROM failed WHERE NOT EXISTS (
    SELECT FROM deployments_deployment later
    WHERE later.site_id = failed.site_id AND later.number > failed.number
      AND later.state = 'success')
)
SELECT deployments_deployment.id FROM unrepaired JOIN deployments_deployment USING (site_id, number)
"""


def failed_deployments() -> QuerySet[Deployment]:
    """Failed ones that no later deployment of their site has made up for; of each site one."""
    found = RawSQL(UNREPAIRED, [])  # noqa: S611  nothing of it was given by anybody
    return Deployment.objects.filter(pk__in=found).defer("manifest")


FAILED_DEPLOYMENT = Reason(
    "deployment",
    "A deployment failed",
    lambda: Q(pk__in=failed_deployments().order_by().values("site")),
)
