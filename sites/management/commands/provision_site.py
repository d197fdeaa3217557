"""``manage.py provision_site NAME [--plan [--json]] [--checksum SHA] [--force WHAT] [--wait]``"""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import CommandParser

from sites import operations, tasks
from sites.access import clients_for
from sites.management.command import SiteCommand
from sites.management.following import follow
from sites.management.patience import when_free
from sites.models import Operation, Site
from sites.provisioning import Plan
from sites.provisioning.preflight import Finding, raise_if_blocked


class Command(SiteCommand):
    help = "Make on AWS what the site needs, or show what would be made."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name")
        parser.add_argument("--plan", action="store_true", help="show the changes, make none")
        parser.add_argument("--json", action="store_true", help="with --plan: as JSON")
        parser.add_argument(
            "--checksum", default="", metavar="SHA", help="of the plan that was shown; no other"
        )
        parser.add_argument("--wait", action="store_true", help="until the site is live")
        parser.add_argument(
            "--force",
            action="append",
            default=[],
            metavar="WHAT",
            help="let the data of a resource (its logical id) go, or go on in spite of a finding "
            "(its code, such as caa); may be repeated",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        site = self.site(options["name"])
        clients_for(site.account).sts.get_caller_identity()  # says best that AWS is away
        plan = operations.plan(site)
        if options["checksum"]:
            plan.raise_if_changed(options["checksum"])
        findings = operations.preflight(site, plan)
        if options["plan"]:
            self._show(plan, findings, as_json=options["json"])
            return
        raise_if_blocked(findings, options["force"])
        self._show(plan, findings)
        self._provision(site, plan, options)

    def _show(self, plan: Plan, findings: tuple[Finding, ...], *, as_json: bool = False) -> None:
        if as_json:
            told = {**plan.as_json(), "findings": [finding.as_json() for finding in findings]}
            self.stdout.write(json.dumps(told, indent=2))
            return
        self.stdout.write(plan.as_text())
        for finding in findings:
            self.stdout.write(finding.as_text())

    def _provision(self, site: Site, plan: Plan, options: dict[str, Any]) -> None:
        operation = when_free(
            lambda: operations.request(
                site, Operation.Kind.PROVISION, force=options["force"], plan_checksum=plan.checksum
            )
        )
        tasks.run_operation.delay(operation.pk)
        if options["wait"]:
            follow(operation, self.stdout.write)
            self.stdout.write(f"{site.name} is live.", self.style.SUCCESS)
        else:
            self.stdout.write(f"Provisioning {site.name}; see `manage.py site_status {site.name}`.")
