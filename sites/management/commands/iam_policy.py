"""``manage.py iam_policy [--counter]``: where ``docs/iam-policy*.json`` come from."""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from sites.provisioning.permissions import COUNTER_GRANTS, SITE_GRANTS, policy


class Command(BaseCommand):
    help = "Print the policy that the role of an AWS account needs."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--counter",
            action="store_true",
            help="the second one, for sites with a visitor counter",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        grants = COUNTER_GRANTS if options["counter"] else SITE_GRANTS
        self.stdout.write(json.dumps(policy(grants), indent=2))
