"""The door to AWS for one account's row."""

from __future__ import annotations

import time
from functools import lru_cache

from django.conf import settings

from cloudadmin.aws import Access, Clients
from sites.models import Account
from sites.pace import Pace

# An assumed role's credentials are good for an hour; a client takes a tenth of a second to make.
KEEP_SECONDS = 1800


def clients_for(account: Account) -> Clients:
    access = Access(
        region=account.region,
        role_arn=account.role_arn,
        external_id=str(account.external_id),
        endpoint_url=settings.AWS_ENDPOINT_URL,
    )
    # AWS counts by its own accounts, of which several of ours may be one.
    return _clients(access, account.aws_account_id, int(time.time() // KEEP_SECONDS))


@lru_cache(maxsize=32)
def _clients(access: Access, account: str, age: int) -> Clients:
    """``age`` is part of the key alone: it makes the clients anew every half hour."""
    pace = settings.CLOUDADMIN_AWS_PACE
    return Clients(access, Pace(settings.REDIS_URL, account, pace) if pace else None)
