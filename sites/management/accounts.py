"""An AWS account by its name, for commands."""

from __future__ import annotations

from django.core.management.base import CommandError

from sites.models import Account


def account_named(name: str) -> Account:
    account = Account.objects.filter(name=name).first()
    if account is None:
        names = ", ".join(Account.objects.order_by("pk").values_list("name", flat=True))
        raise CommandError(f"There is no AWS account “{name}”; there is {names or 'none yet'}.")
    return account
