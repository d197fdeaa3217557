"""The door to AWS for one account's row."""

from __future__ import annotations

from django.conf import settings

from cloudadmin.aws import Access, Clients
from sites.models import Account


def clients_for(account: Account) -> Clients:
    return Clients(
        Access(
            region=account.region,
            role_arn=account.role_arn,
            external_id=str(account.external_id),
            endpoint_url=settings.AWS_ENDPOINT_URL,
        )
    )
