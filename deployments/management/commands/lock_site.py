"""``manage.py lock_site NAME --reason R``"""

from __future__ import annotations

import getpass
from datetime import timedelta
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils import timezone

from deployments import lane
from sites.management.command import SiteCommand


class Command(SiteCommand):
    help = "Deployments are uploaded and made ready, but not published, until it is unlocked."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name")
        parser.add_argument("--reason", required=True, help="what who meets the lock should know")
        parser.add_argument("--hours", type=float, help="default: until `unlock_site`")
        parser.add_argument("--owner", default="", help="default: your name on this machine")

    def handle(self, *args: Any, **options: Any) -> None:
        site = self.site(options["name"])
        try:
            until = options["hours"] and timezone.now() + timedelta(hours=options["hours"])
        except (OverflowError, ValueError) as error:
            raise CommandError(f"{options['hours']} hours is not a time to lock for.") from error
        lane.lock(site, options["reason"], options["owner"] or _user(), until or None)
        self.stdout.write(f"{lane.stopped_because(site)}.")


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return ""
