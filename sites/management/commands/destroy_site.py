"""``manage.py destroy_site NAME --yes``"""

from __future__ import annotations

import time
from typing import Any

from django.core.management.base import CommandError, CommandParser

from sites import operations, tasks
from sites.access import clients_for
from sites.management.command import SiteCommand
from sites.management.commands.provision_site import follow
from sites.models import Operation, Site
from sites.operations import OperationRefused

# A pass over a site takes seconds; longer than this something else is wrong.
PATIENCE_SECONDS = 60


class Command(SiteCommand):
    help = "Remove everything that was made on AWS for a site, and the site itself."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name")
        parser.add_argument("--yes", action="store_true", help="really")

    def handle(self, *args: Any, **options: Any) -> None:
        site = self.site(options["name"])
        if not options["yes"]:
            raise CommandError(
                f"This removes {site.name} with its files, deployments and statistics. "
                f"If that is meant: `manage.py destroy_site {site.name} --yes`"
            )
        clients_for(site.account).sts.get_caller_identity()
        operation = _request(site)
        tasks.run_operation.delay(operation.pk)
        follow(self, operation)
        self.stdout.write(
            self.style.SUCCESS(f"{site.name} is gone.")
            + " What its account shares (counter database, access controls) stays for other sites."
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
