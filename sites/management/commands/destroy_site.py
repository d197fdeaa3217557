"""``manage.py destroy_site NAME [--yes] [--json]``"""

from __future__ import annotations

from functools import partial
from typing import Any

from sites import farewell, operations
from sites.access import clients_for
from sites.management.destroying import DestroyCommand
from sites.management.patience import when_free
from sites.models import Operation


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
            request=partial(when_free, partial(operations.request, site, Operation.Kind.DESTROY)),
            still_there=partial(farewell.still_there, site.account, site.short_uid),
        )
