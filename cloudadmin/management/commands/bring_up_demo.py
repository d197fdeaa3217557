"""The demo site of ``manage.py up``: live, with what is in ``cloudadmin/demo``.

Safe to run again: it makes only what is missing, deploys only what differs, and leaves alone what
a person deployed there, rolled back or locked.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management import call_command

from deployments import lane, manifest, publish
from deployments.files import injection
from sites import operations
from sites.management.command import SiteCommand
from sites.models import Site

FOLDER = settings.BASE_DIR / "cloudadmin" / "demo"
NAME = "demo"


class Command(SiteCommand):
    help = "Bring the demo site up to date."

    def handle(self, *args: Any, **options: Any) -> None:
        if not Site.objects.filter(name=NAME).exists():
            call_command("create_site", NAME)
        site = self.site(NAME)
        if site.state != Site.State.LIVE or operations.plan(site).effective:
            call_command("provision_site", NAME, "--wait")
        if is_to_be_deployed(site):
            call_command("deploy_site", NAME, str(FOLDER), "--message", "The demo site")


def is_to_be_deployed(site: Site) -> bool:
    published = publish.published(site)
    if published is None:
        return True
    if not published.source.endswith("cloudadmin/demo") or lane.stopped_because(site):
        return False
    wanted = manifest.build(FOLDER, injects=injection.is_wanted(site))
    return wanted != publish.manifest_of(published)
