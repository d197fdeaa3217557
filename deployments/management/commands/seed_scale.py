"""``manage.py seed_scale --yes``: thousands of sites to try the dashboard on; ``--remove`` them."""

from __future__ import annotations

import time
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser

from deployments.management import seeding
from sites.management.command import SiteCommand
from sites.models import Site


class Command(SiteCommand):
    help = "Fill a local database with rows of thousands of sites, none of them on AWS."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--sites", type=int, default=10_000)
        parser.add_argument("--deployments", type=int, default=1_000_000, help="of all sites")
        parser.add_argument("--remove", action="store_true", help="take all of it away again")
        parser.add_argument("--yes", action="store_true", help="do it")

    def handle(self, *args: Any, **options: Any) -> None:
        sites, deployments = options["sites"], options["deployments"]
        if not settings.AWS_ENDPOINT_URL:
            raise CommandError(
                "These rows are for trying the dashboard on one machine, and this is connected to "
                "AWS. Run it against the local default (`manage.py up`)."
            )
        if not 1 <= sites <= 100_000 or not 0 <= deployments <= 5_000_000:
            raise CommandError("Give 1 to 100,000 sites, and at most 5,000,000 deployments.")
        if not options["yes"]:
            what = (
                "all seeded sites away"
                if options["remove"]
                else f"{sites:,} sites, {deployments:,} deployments"
            )
            raise CommandError(
                f"This would {'take' if options['remove'] else 'make'} {what}. Give --yes to do it."
            )
        began = time.monotonic()
        if options["remove"]:
            seeding.remove(self._tell)
        else:
            self._fill(sites, deployments)
        self.stdout.write(f"Done in {time.monotonic() - began:.1f} s.")

    def _fill(self, sites: int, deployments: int) -> None:
        if strangers := seeding.strangers():
            raise CommandError(
                f"There are sites that this did not make: {strangers:,}. It fills an empty "
                "database alone; give another one in DATABASE_URL or CLOUDADMIN_DATA_DIR."
            )
        if Site.objects.exists():
            raise CommandError("It was filled before; give --remove first.")
        seeding.fill(sites, deployments, self._tell)

    def _tell(self, what: str) -> None:
        self.stdout.write(f"  {what}")
