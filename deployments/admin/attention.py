"""What of a site's deployments needs a person."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet

from deployments import retry
from deployments.admin.shown import Shown
from deployments.models import Deployment, Repository
from sites.admin.attention import Reason
from sites.models import Site

# One for visitors and one of a preview: an end takes back what it makes up for.
MOST_FAILED = 2


@dataclass(frozen=True)
class Failed(Shown):
    """One that nothing has made up for; ``can_retry``: from what is here, or from its branch."""

    can_retry: bool = False


def failed_deployments() -> QuerySet[Deployment]:
    """Failed ones that no later deployment of their site has made up for."""
    return Deployment.objects.filter(needs_attention=True).defer("manifest")


def failed_of(site: Site, active: Collection[Deployment]) -> list[Failed]:
    """In one query. One whose successor is under way needs nobody until that has ended."""
    repository = Repository.objects.filter(site=OuterRef("site"))
    rows: QuerySet[Any] = failed_deployments().filter(site=site).order_by("-number")
    found = rows.annotate(has_repository=Exists(repository))[:MOST_FAILED]
    return [
        Failed(
            row, can_retry=retry.has_files(row) or row.has_repository and retry.is_of_branch(row)
        )
        for row in found
        if not any(
            each.environment == row.environment and each.number > row.number for each in active
        )
    ]


FAILED_DEPLOYMENT = Reason(
    "deployment",
    "A deployment failed",
    lambda: Q(pk__in=failed_deployments().order_by().values("site")),
)
