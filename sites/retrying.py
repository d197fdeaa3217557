"""Once more what failed, as a new operation that begins where the old one stopped."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import transaction

from sites import operations
from sites.errors import Refused
from sites.models import Operation, Site

if TYPE_CHECKING:
    from django.contrib.auth.models import User


def can_retry(operation: Operation) -> bool:
    """Whether one press may ask for it again: nothing of it was forced, so its plan is judged anew,
    and no data goes."""
    return (
        operation.status in Operation.FAILED
        and operation.kind == Operation.Kind.PROVISION
        and operation.site_id is not None
        and not operation.force
    )


def retry(operation: Operation, user: User | None = None) -> Operation:
    """The caller enqueues the new one after commit. Raises Refused, also when another operation of
    the site is under way."""
    if operation.site is None or not can_retry(operation):
        raise Refused("This cannot be asked for again with one press; go to the page of the site.")
    with transaction.atomic():
        site = Site.objects.select_for_update(no_key=True).get(pk=operation.site.pk)
        running = site.operations.filter(status__in=Operation.ACTIVE).first()
        if running is not None:
            raise Refused(f"{running} is under way already; nothing was asked for.")
        return operations.request(site, Operation.Kind.PROVISION, user, by_hand=operation.by_hand)
