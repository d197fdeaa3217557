"""``manage.py create_token SITE --scope deploy --days 90``"""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone

from deployments import tokens
from deployments.models import Scope
from sites.management.command import SiteCommand


class Command(SiteCommand):
    help = "Make a token for the API. It is printed once and kept nowhere."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="the site")
        parser.add_argument(
            "--scope",
            action="append",
            choices=Scope.values,
            required=True,
            help="what it may do; may be given several times",
        )
        parser.add_argument("--days", type=int, default=90, help="how long it lives; at most 366")
        parser.add_argument("--label", default="command line", help="what the token is called")
        parser.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        site = self.site(options["name"])
        # More days than a date can count are too many all the same.
        days = min(options["days"], 10_000)
        expires_at = timezone.now() + timedelta(days=max(days, -10_000))
        row, text = tokens.issue(site, options["label"], options["scope"], expires_at)
        if options["json"]:
            result = {
                "token": text,
                "site": site.name,
                "scopes": row.scopes,
                "expires_at": row.expires_at.isoformat(),
            }
            self.stdout.write(json.dumps(result))
            return
        self.stdout.write(text)
        self.stderr.write(
            f"For {site.name}, until {row.expires_at:%Y-%m-%d}: {', '.join(row.scopes)}. "
            "It is not shown again."
        )
