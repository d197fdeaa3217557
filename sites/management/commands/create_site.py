"""``manage.py create_site NAME``: the row; nothing is created on AWS yet."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db import transaction

from sites.management import site_options
from sites.management.command import SiteCommand
from sites.models import Account, Site


class Command(SiteCommand):
    help = "Create a site. Nothing is created on AWS until it is provisioned."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="lower-case letters, digits and hyphens")
        parser.add_argument(
            "--domain", action="append", default=[], help="a domain of the site; may be repeated"
        )
        parser.add_argument(
            "--redirect",
            action="append",
            default=[],
            metavar="DOMAIN",
            help="a domain that redirects to the first one; may be repeated",
        )
        parser.add_argument("--account", help="name of the AWS account (default: the first)")
        site_options.add_settings(parser)

    @transaction.atomic
    def handle(self, *args: Any, **options: Any) -> None:
        site = Site(name=options["name"], account=_account(options["account"]))
        site_options.set_fields(site, options)
        site_options.save_or_explain(site)
        site_options.add_domains(site, options["domain"] + options["redirect"])
        site_options.set_redirects(site, options["redirect"], redirects=True)
        site_options.refuse_redirects_to_nowhere(site)
        self.stdout.write(
            f"Created {site.name}. Next: `manage.py provision_site {site.name} --wait`"
        )


def _account(name: str | None) -> Account:
    accounts = Account.objects.order_by("pk")
    account = accounts.filter(name=name).first() if name else accounts.first()
    if account is None:
        raise CommandError(
            f"There is no AWS account “{name}”."
            if name
            else "There is no AWS account yet: `manage.py first_run` makes the first one."
        )
    return account
