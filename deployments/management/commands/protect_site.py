"""``manage.py protect_site NAME [--path P] [--password-stdin] [--off]``"""

from __future__ import annotations

import math
import sys
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser

from deployments import access
from sites.management.command import SiteCommand


class Command(SiteCommand):
    help = "Ask visitors of a site, or of a part of it, for a password. Previews ask for it too."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name")
        parser.add_argument("--path", help="a folder or page, as in /members/; default: all")
        way = parser.add_mutually_exclusive_group()
        way.add_argument(
            "--password-stdin", action="store_true", help="read it there; default: make one up"
        )
        way.add_argument("--off", action="store_true", help="open it to everybody again")
        way.add_argument("--list", action="store_true", help="what is protected")

    def handle(self, *args: Any, **options: Any) -> None:
        site, path = self.site(options["name"]), options["path"]
        if options["list"]:
            rules = access.settings_of(site).protection
            self.stdout.write("\n".join(rule["path"] for rule in rules) or "Nothing is protected.")
        elif options["off"]:
            opened = access.unprotect(site, path)
            self.stdout.write(f"Open to everybody: {', '.join(opened) or 'all, as before'}.")
        else:
            given = _from_stdin() if options["password_stdin"] else ""
            password = access.protect(site, path or "/", given)
            what = path or "All"
            seconds = math.ceil(settings.CLOUDADMIN_SETTLE_SECONDS) + 1
            self.stdout.write(
                f"{what} of {site.name} asks for it in about {seconds} seconds, once the edge has "
                "it everywhere; until then nothing changes."
            )
            if left_open := access.left_open(path or "/"):
                self.stdout.write(left_open)
            if not given:
                self.stdout.write(f"It is shown this once: {password}")


def _from_stdin() -> str:
    password = sys.stdin.readline().rstrip("\r\n")
    if not password:
        raise CommandError("There is no password on the standard input.")
    return password
