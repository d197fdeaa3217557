"""``manage.py destroy_site NAME [--yes] [--json]``"""

from __future__ import annotations

import time
from functools import partial
from typing import Any

from sites import farewell, operations
from sites.access import clients_for
from sites.management.destroying import DestroyCommand
from sites.models import Operation, Site
from sites.operations import OperationRefused

# A pass over a site takes seconds; longer than this something else is wrong.
PATIENCE_SECONDS = 60


class Command(DestroyCommand):
    help = (
        "Remove everything that was made on AWS for a site, and the site itself with its "
        "deployments and statistics. Without --yes: show what would go and what would stay."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        site = self.site(options["name"])
        clients_for(site.account).sts.get_caller_identity()  # fail now, not in a worker
        self.destroy(
            options,
            what=site.name,
            goes=farewell.going(site),
            stays=farewell.retained(site),
            request=partial(_request, site),
            still_there=partial(farewell.still_there, site.account, site.short_uid),
        )


def _request(site: Site) -> Operation:
    """Ask until the worker that is busy with the site has finished its pass."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return operations.request(site, Operation.Kind.DESTROY)
        except OperationRefused as refused:
            if not refused.try_again or time.monotonic() > deadline:
                raise
            time.sleep(0.5)
