"""Rows and things together: operations that run to their end on the emulator."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from cloudadmin.aws import Access, Clients
from sites import operations
from sites.models import Account, Operation, Site
from sites.store import record_of
from tests.factories import SiteFactory

PASSES = 60


@lru_cache
def clients_at(endpoint: str) -> Clients:
    """One set for all tests: making them costs more than most calls."""
    return Clients(Access(region="us-east-1", endpoint_url=endpoint))


def run(operation: Operation) -> Operation:
    """Pass after pass, as workers do, without the pauses between them."""
    for _ in range(PASSES):
        if operations.run(operation.pk) is None:
            break
    operation.refresh_from_db()
    return operation


def live_site(account: Account, **wanted: Any) -> Site:
    site: Site = SiteFactory(account=account, **{"has_counter": False, **wanted})
    operation = run(operations.request(site, Operation.Kind.PROVISION))
    assert operation.status == Operation.Status.SUCCESS, operation.error_message
    site.refresh_from_db()
    return site


def remove(clients: Clients, site: Site, *logical_ids: str) -> None:
    """Behind our back: the things go, their rows stay."""
    for row in site.resources.filter(logical_id__in=logical_ids).order_by("-pk"):
        resource = record_of(row).resource
        while (state := resource.read(clients, row.physical_id)) is not None:
            resource.delete(clients, state)
