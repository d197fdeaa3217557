"""``manage.py rollback_site NAME [--to NUMBER]``"""

from __future__ import annotations

import time
from typing import Any

from django.core.management.base import CommandError, CommandParser

from deployments import lane, operations
from deployments.models import Deployment
from deployments.rollback import check, rollback
from deployments.target import address
from sites.management.command import TRY_AGAIN_LATER, SiteCommand

PATIENCE_SECONDS = 60.0


class Command(SiteCommand):
    help = (
        "Serve another deployment, earlier or later. Nothing is uploaded. After going back, new "
        "deployments are not published by themselves until `resume_publishing`."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name")
        parser.add_argument("--to", type=int, metavar="NUMBER", help="default: the one before")

    def handle(self, *args: Any, **options: Any) -> None:
        site = self.site(options["name"])
        deployment = rollback(site, options["to"])
        if deployment.state in Deployment.ACTIVE:
            deployment.claim(state=Deployment.State.IN_PROGRESS)
            with deployment.heartbeat():
                operations.finish(deployment, time.sleep)
            if not deployment.is_published:
                raise CommandError(deployment.error_message)
        else:
            _wait_until_served(deployment)
        self.stdout.write(f"Deployment #{deployment.number} is live again at {address(site)}")
        if because := lane.stopped_because(site):
            self.stdout.write(
                f"{because}. New deployments wait to be published; "
                f"`manage.py resume_publishing {site.name}` ends that."
            )


def _wait_until_served(deployment: Deployment) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (mismatch := check(deployment)) is not None:
        if time.monotonic() > deadline:
            raise CommandError(
                f"The flip is made, but the edge does not serve #{deployment.number} yet: "
                f"“{mismatch.path}”, {mismatch.reason}.",
                returncode=TRY_AGAIN_LATER,
            )
        time.sleep(0.2)
