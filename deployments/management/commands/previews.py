"""``manage.py previews NAME [--close LABEL]``"""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone
from django.utils.timesince import timeuntil

from deployments import previews
from deployments.models import Deployment
from sites.management.command import SiteCommand


class Command(SiteCommand):
    help = "The deployments of a site that have an address of their own."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name")
        parser.add_argument("--close", metavar="LABEL", help="take a preview away, with its branch")
        parser.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        site = self.site(options["name"])
        if options["close"]:
            numbers = ", ".join(f"#{number}" for number in previews.close(site, options["close"]))
            self.stdout.write(f"Closed: {numbers}.")
            return
        found = list(previews.listed(site))
        if options["json"]:
            self.stdout.write(json.dumps([_as_json(each) for each in found], indent=2))
            return
        if not found:
            self.stdout.write(f"{site.name} has no previews.")
        for each in found:
            left = timeuntil(each.expires_at, timezone.now()) if each.expires_at else "ever"
            self.stdout.write(f"#{each.number:<5} {previews.url_of(each)}  for {left}  {each.ref}")


def _as_json(preview: Deployment) -> dict[str, Any]:
    return {
        "number": preview.number,
        "label": preview.label,
        "url": previews.url_of(preview),
        "ref": preview.ref,
        "expires_at": preview.expires_at.isoformat() if preview.expires_at else None,
    }
