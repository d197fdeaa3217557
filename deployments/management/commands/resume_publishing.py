"""``manage.py resume_publishing NAME``"""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from deployments import lane
from sites.management.command import SiteCommand
from sites.models import Site


class Command(SiteCommand):
    help = "Publish the next deployments by themselves again, after `rollback_site`."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name")

    def handle(self, *args: Any, **options: Any) -> None:
        site = self.site(options["name"])
        if not lane.release_hold(site):
            raise CommandError(f"{site.name} was not rolled back; nothing holds deployments back.")
        because = lane.stopped_because(site)
        says = f"But {because}." if because else "New deployments are published by themselves."
        self.stdout.write(f"{says}{waiting(site)}")


def waiting(site: Site) -> str:
    """What a person may want to publish now."""
    ready = lane.ready(site)
    if ready is None or lane.stopped_because(site):
        return ""
    return (
        f" #{ready.number} is ready: `manage.py rollback_site {site.name} --to {ready.number}` "
        "publishes it."
    )
