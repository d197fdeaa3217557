from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.management.base import CommandParser

from deployments.github_workflow import workflow
from sites.errors import Refused
from sites.management.command import SiteCommand


class Command(SiteCommand):
    help = "Print a workflow file for GitHub Actions that deploys a site and stores no secret."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name")
        parser.add_argument("--branch", default="", help="whose pushes deploy")
        parser.add_argument("--folder", default="", help="what the build makes, as in public")
        parser.add_argument(
            "--address",
            default=settings.RUN.get("dashboard", ""),
            help="where GitHub reaches this dashboard, as in https://cloudadmin.example.com",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        address = urlsplit(options["address"])
        if address.scheme not in ("http", "https") or not address.netloc:
            raise Refused("Give --address, where GitHub reaches this dashboard, with its https://.")
        site = self.site(options["name"])
        text = workflow(
            site,
            f"{address.scheme}://{address.netloc}",
            branch=options["branch"],
            folder=options["folder"],
        )
        self.stdout.write(text, ending="")
