"""``manage.py provision_site NAME [--plan] [--wait]``"""

from __future__ import annotations

import json
import time
from typing import Any

from django.core.management.base import CommandError, CommandParser

from sites import operations, tasks
from sites.access import clients_for
from sites.management.command import SiteCommand
from sites.models import Operation, Site

Status = Operation.Status
JOINS_LATER = frozenset({"certificate", "validation_record", "alias_record"})


class Command(SiteCommand):
    help = "Make on AWS what the site needs, or show what would be made."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name")
        parser.add_argument("--plan", action="store_true", help="show the changes, make none")
        parser.add_argument("--wait", action="store_true", help="until the site is live")
        parser.add_argument(
            "--force",
            action="append",
            default=[],
            metavar="LOGICAL_ID",
            help="let the data of this resource go; may be repeated",
        )
        parser.add_argument("--json", action="store_true", help="with --plan: as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        site = self.site(options["name"])
        if options["plan"]:
            plan = operations.plan(site)
            self.stdout.write(
                json.dumps(plan.as_json(), indent=2) if options["json"] else plan.as_text()
            )
            return
        clients_for(site.account).sts.get_caller_identity()  # fail now, not in a worker
        operation = operations.request(site, Operation.Kind.PROVISION, force=options["force"])
        tasks.run_operation.delay(operation.pk)
        if options["wait"]:
            follow(self, operation)
            self.stdout.write(self.style.SUCCESS(f"{site.name} is live."))
        else:
            self.stdout.write(f"Provisioning {site.name}; see `manage.py site_status {site.name}`.")


def follow(command: SiteCommand, operation: Operation) -> None:
    """Print what happens until the operation ends, or until the site serves and only waits."""
    seen = 0
    while True:
        operation.refresh_from_db()
        for event in operation.events.all()[seen:]:
            seen += 1
            command.stdout.write(event.message)
        if operation.status == Status.SUCCESS:
            return
        if operation.status not in Operation.ACTIVE:
            raise CommandError(operation.error_message or "Superseded by another operation.")
        if operation.kind == Operation.Kind.PROVISION and _only_waits(operation):
            for wait in operation.waits:
                command.stdout.write(f"Still waiting for {wait['what']}: {wait['why']}")
            return
        time.sleep(0.2)


def _only_waits(operation: Operation) -> bool:
    """The site serves on its own name; what is left is a person's DNS, or an authority."""
    site = operation.site
    waits = [wait["what"].partition(".")[0] for wait in operation.waits]
    return bool(site and site.state == Site.State.LIVE and waits and JOINS_LATER.issuperset(waits))
