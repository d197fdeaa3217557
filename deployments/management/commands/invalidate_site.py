"""``manage.py invalidate_site NAME PATH...``"""

from __future__ import annotations

import time
from typing import Any

from django.core.management.base import CommandError, CommandParser

from deployments import invalidation_rows
from deployments.models import Invalidation
from sites.management.command import SiteCommand

PATIENCE_SECONDS = 60


class Command(SiteCommand):
    help = "Drop paths from CloudFront's caches. Deployments never need this."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name")
        parser.add_argument("paths", nargs="+", metavar="PATH", help="such as /data/* or /feed.xml")

    def handle(self, *args: Any, **options: Any) -> None:
        site = self.site(options["name"])
        try:
            row = invalidation_rows.request(site, options["paths"])
        except ValueError as error:
            raise CommandError(str(error)) from error
        deadline = time.monotonic() + PATIENCE_SECONDS
        while row.status in Invalidation.ACTIVE and time.monotonic() < deadline:
            invalidation_rows.advance(row.pk)
            row.refresh_from_db()
            if row.status == Invalidation.Status.IN_PROGRESS:
                time.sleep(0.5)
        if row.status == Invalidation.Status.FAILURE:
            raise CommandError(row.error_message)
        self.stdout.write(f"Invalidation {row.invalidation_id}: {row.status} ({row})")
