"""Deployments at addresses of their own."""

from __future__ import annotations

from django.db.models import QuerySet
from django.http import HttpRequest
from ninja import Router, Status

from deployments import previews
from deployments.api.access import site_of
from deployments.api.problems import NotFound, refusals
from deployments.api.schemas import PreviewOut
from deployments.models import Deployment, Scope

router = Router(tags=["previews"])


@router.get("/sites/{site}/previews", response={200: list[PreviewOut], **refusals()})
def list_previews(request: HttpRequest, site: str) -> QuerySet[Deployment]:
    """Scope: read."""
    return previews.listed(site_of(request, site, Scope.READ))


@router.delete("/sites/{site}/previews/{label}", response={204: None, **refusals(409)})
def close_preview(request: HttpRequest, site: str, label: str) -> Status[None]:
    """Its address answers no more; with a branch's go those of the branch's deployments.

    Scope: preview.
    """
    row = site_of(request, site, Scope.PREVIEW)
    if not any(label in (each.label, previews.own_label(each)) for each in previews.listed(row)):
        raise NotFound(f"{row.name} has no preview “{label[:63]}”.")
    previews.close(row, label)
    return Status(204, None)
