"""The row of a deployment that came through the API, once for each idempotency key."""

from __future__ import annotations

from typing import Annotated

from django.http import HttpRequest
from ninja import Header

from deployments import operations
from deployments.api.access import token_of
from deployments.api.schemas import PLAIN, Options
from deployments.models import Deployment
from deployments.preview_names import label_of
from sites.models import Site

IdempotencyKey = Annotated[
    str,
    Header(
        alias="Idempotency-Key",
        max_length=100,
        pattern=PLAIN,
        description="The same key gives the same deployment, however often it is sent.",
    ),
]


def replayed(site: Site, key: str) -> Deployment | None:
    """What an earlier request with this key made."""
    if not key:
        return None
    rows = Deployment.objects.filter(site=site, idempotency_key=key)
    return rows.select_related("site__account").first()


def create(request: HttpRequest, site: Site, source: str, asked: Options, key: str) -> Deployment:
    return operations.create(
        site,
        source,
        message=asked.message,
        creator=token_of(request).creator,
        environment=asked.environment,
        trigger=Deployment.Trigger.API,
        label=label_of(named) if (named := asked.label or asked.ref) else "",
        ref=asked.ref,
        sha=asked.sha,
        author=asked.author,
        idempotency_key=key,
        allowed=tuple(asked.allow),
    )
