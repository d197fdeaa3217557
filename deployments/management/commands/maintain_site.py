"""``manage.py maintain_site NAME --on|--off``"""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from deployments import access
from sites.management.command import SiteCommand


class Command(SiteCommand):
    help = (
        "Show visitors that a site is being worked on, with a true 503: its own maintenance.html, "
        "where it has one. Previews can be looked at meanwhile."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name")
        way = parser.add_mutually_exclusive_group(required=True)
        way.add_argument("--on", action="store_true", dest="on")
        way.add_argument("--off", action="store_false", dest="on")

    def handle(self, *args: Any, **options: Any) -> None:
        site = self.site(options["name"])
        state = "in maintenance" if options["on"] else "open to visitors"
        if access.set_maintenance(site, on=options["on"]):
            self.stdout.write(f"{site.name} is {state}, within seconds everywhere.")
        else:
            self.stdout.write(f"{site.name} is {state} already.")
