"""``manage.py destroy_account NAME [--yes] [--json]``"""

from __future__ import annotations

from functools import partial
from typing import Any

from sites import farewell
from sites.access import clients_for
from sites.management.accounts import account_named
from sites.management.destroying import DestroyCommand


class Command(DestroyCommand):
    help = (
        "Remove what the sites of an account share, when none is left: the counter database leaves "
        "a final snapshot. The account stays connected: a new site makes again what it needs."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        account = account_named(options["name"])
        farewell.raise_if_lived_in(account)
        clients_for(account).sts.get_caller_identity()  # fail now, not in a worker
        self.destroy(
            options,
            what=f"What the sites of account {account.name} shared",
            goes=farewell.going(account),
            stays=farewell.retained_of_account(account),
            request=partial(farewell.destroy_account, account),
            still_there=partial(farewell.still_there, account, account.short_uid),
        )
