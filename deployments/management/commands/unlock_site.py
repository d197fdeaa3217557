"""``manage.py unlock_site NAME``"""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from deployments import lane
from deployments.management.commands.resume_publishing import waiting
from sites.management.command import SiteCommand


class Command(SiteCommand):
    help = "Publish the next deployments by themselves again, after `lock_site`."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name")

    def handle(self, *args: Any, **options: Any) -> None:
        site = self.site(options["name"])
        lane.unlock(site)
        self.stdout.write(f"{site.name} is not locked any more.{waiting(site)}")
