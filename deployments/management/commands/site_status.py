"""``manage.py site_status NAME [--json]``"""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import CommandParser

from deployments.models import Deployment
from deployments.target import address
from sites.certificates import Lifetime
from sites.management.command import SiteCommand
from sites.management.waits import wait_lines
from sites.models import Operation, Resource, Site
from sites.visits import query


class Command(SiteCommand):
    help = "How a site is: state, addresses, resources, deployment, visits, waits."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name")
        parser.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        status = status_of(self.site(options["name"]))
        if options["json"]:
            self.stdout.write(json.dumps(status, indent=2))
            return
        deployment = status["deployment"]
        self.stdout.write(f"{status['name']}: {status['state']}  {status['url']}")
        self.stdout.write(f"  deployment  {f'#{deployment}' if deployment else 'none yet'}")
        self.stdout.write(f"  visits      {status['visits']}")
        for certificate in status["certificates"]:
            if certificate["problem"]:
                self.stdout.write(f"  {certificate['problem']}")
        for line in wait_lines(status["waits"]):
            self.stdout.write(f"  {line}")
        for resource in status["resources"]:
            self.stdout.write(
                f"  {resource['type']:<24} {resource['physical_id']}  {resource['aws_status']}"
            )


def status_of(site: Site) -> dict[str, Any]:
    """The object of DESIGN section 11."""
    resources = list(Resource.objects.filter(site=site))
    distribution = next((row for row in resources if row.logical_id == "distribution"), None)
    operation = Operation.objects.filter(site=site, status__in=Operation.ACTIVE).first()
    host = distribution.attributes.get("domain_name") if distribution else None
    return {
        "name": site.name,
        "state": site.state,
        "url": address(site),
        "hosts": [
            *([host] if host else []),
            *(d.name for d in site.domains.all() if not d.is_wildcard),
        ],
        "certificates": [Lifetime(row).as_json() for row in resources if row.type == "certificate"],
        "deployment": Deployment.objects.filter(site=site, is_published=True)
        .values_list("number", flat=True)
        .first(),
        "resources": [
            {"type": row.type, "physical_id": row.physical_id, "aws_status": row.aws_status}
            for row in resources
        ],
        "visits": query.total(site),
        "waits": operation.waits if operation else [],
    }
