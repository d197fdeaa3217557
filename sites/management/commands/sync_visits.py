"""``manage.py sync_visits [NAME]``: pull the counters now, as beat does every few minutes."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from sites.management.command import TRY_AGAIN_LATER, SiteCommand
from sites.models import Account, VisitCursor
from sites.visits import query
from sites.visits.sync import sync


class Command(SiteCommand):
    help = "Pull the visitor counters from the counter database."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", nargs="?", help="one site (default: all)")
        parser.add_argument(
            "--reader",
            choices=VisitCursor.Reader.values,
            help="how to read first, now and from now on: connecting to the database, or through"
            " a counter function, where the database does not let this machine in",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        site = self.site(options["name"]) if options["name"] else None
        accounts = [site.account] if site else list(Account.objects.all())
        for account in accounts:
            if options["reader"]:
                VisitCursor.objects.update_or_create(
                    account=account, defaults={"reader": options["reader"]}
                )
            pulled = sync(account)
            if pulled.error:
                raise CommandError(pulled.error, returncode=TRY_AGAIN_LATER)
            self.stdout.write(f"{account}: {pulled.rows} rows changed.")
        if site:
            self.stdout.write(f"{site.name}: {query.total(site)} visits in total.")
