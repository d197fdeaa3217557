"""Deployments in the statistics: on the line of visits, and in place of release numbers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from django.db.models import QuerySet
from django.urls import reverse

from deployments.models import Deployment
from sites.models import Site
from sites.visits.marks import Mark, Release, register, register_names
from sites.visits.ranges import Range

# The newest ones; a line has no room for more.
SHOWN = 200


def marks(sites: Sequence[Site], range: Range) -> Iterable[Mark]:
    """What was published to the sites in the range."""
    rows = _rows().filter(
        site__in=sites, published_at__gte=range.since, published_at__lt=range.until
    )
    for row in rows.order_by("-published_at")[:SHOWN]:
        if row.published_at:
            yield Mark(row.published_at, _label(row), _page(row))


def releases(site: Site, numbers: Sequence[str]) -> dict[str, Release]:
    """Release numbers are drawn when a deployment's turn comes, so they are not its own number."""
    known = [int(number) for number in numbers if number.isdecimal() and len(number) < 10]
    rows = _rows().filter(site=site, release_number__in=known)
    return {str(row.release_number): Release(_label(row), _page(row)) for row in rows}


def _rows() -> QuerySet[Deployment]:
    return Deployment.objects.only("number", "description", "published_at", "release_number")


def _label(row: Deployment) -> str:
    return f"#{row.number} {row.description}".rstrip()


def _page(row: Deployment) -> str:
    return reverse("admin:deployments_deployment_change", args=[row.pk])


register(marks)
register_names(releases)
