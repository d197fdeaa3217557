"""``manage.py change_account NAME``: the database that the counters of its sites use."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from sites import counter_database
from sites.management.accounts import account_named
from sites.management.command import SiteCommand
from sites.models import Account


class Command(SiteCommand):
    help = (
        "Have the counters of an account use a PostgreSQL that is there already, in RDS of this "
        "account and region, with IAM authentication; or one of their own again."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name")
        which = parser.add_mutually_exclusive_group(required=True)
        which.add_argument("--counter-host", metavar="HOST", help="the endpoint of the instance")
        which.add_argument(
            "--own-counter", action="store_true", help="a database is made, as by default"
        )
        usual = Account()
        parser.add_argument("--counter-port", type=int, default=usual.counter_port)
        parser.add_argument("--counter-database", default=usual.counter_database)
        parser.add_argument(
            "--counter-user",
            default=usual.counter_user,
            help="has the role rds_iam, and may create a schema in the database",
        )
        parser.add_argument(
            "--force",
            action="store_true",
            help="although sites count elsewhere, and their numbers begin again at 0",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        account = account_named(options["name"])
        if options["counter_host"] == "":
            raise CommandError("Name the endpoint, or ask for --own-counter.")
        counter_database.use(
            account,
            options["counter_host"] or "",
            options["counter_port"],
            options["counter_database"],
            options["counter_user"],
            force=options["force"],
        )
        where = f"in {account.counter_host}" if account.counter_host else "in a database of its own"
        self.stdout.write(f"The sites of {account.name} count {where}, once provisioned anew:")
        for name in account.sites.filter(has_counter=True).values_list("name", flat=True):
            self.stdout.write(f"  manage.py provision_site {name} --wait")
        if left := counter_database.left_behind(account):
            self.stdout.write(left)
