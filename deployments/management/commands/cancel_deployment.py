"""``manage.py cancel_deployment NAME NUMBER``"""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from deployments import operations
from deployments.models import Deployment
from sites.management.command import SiteCommand


class Command(SiteCommand):
    help = "End a deployment before it is published. Afterwards it is too late: roll back."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name")
        parser.add_argument("number", type=int)

    def handle(self, *args: Any, **options: Any) -> None:
        site = self.site(options["name"])
        deployment = Deployment.objects.filter(site=site, number=options["number"]).first()
        if deployment is None:
            raise CommandError(f"{site.name} has no deployment #{options['number']}.")
        operations.request_cancel(deployment)
        ended = deployment.state not in Deployment.ACTIVE
        says = deployment.error_message if ended else "It is being cancelled."
        self.stdout.write(f"Deployment #{deployment.number}: {says}")
