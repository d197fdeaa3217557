"""``manage.py check_drift [NAME] [--deep] [--json] [--accept LOGICAL_ID PATH] [--restore]``

Exit codes: 0 nothing has drifted, 1 something has, 75 AWS would not tell: try again later.
"""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import CommandError, CommandParser

from sites import drift, tasks
from sites.drift import Found
from sites.drift_checks import check, is_busy, look_over
from sites.errors import Refused
from sites.management.command import TRY_AGAIN_LATER, SiteCommand
from sites.management.patience import when_free
from sites.models import Resource, Site
from sites.provisioning.errors import ResourceFailed


class Command(SiteCommand):
    help = "Tell what was changed on AWS behind our back; accept it, or put it right."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", nargs="?", help="of a site; without, all sites")
        parser.add_argument(
            "--deep",
            action="store_true",
            help="read every resource, not only what AWS's lists show to be otherwise",
        )
        parser.add_argument("--json", action="store_true")
        for name, what in (
            ("--accept", "want it as it is on AWS from now on"),
            ("--unaccept", "want it as the site's settings say again"),
        ):
            parser.add_argument(
                name,
                action="append",
                nargs=2,
                default=[],
                metavar=("LOGICAL_ID", "PATH"),
                help=f"{what}; may be repeated",
            )
        parser.add_argument(
            "--restore", action="store_true", help="show the plan that puts it right, and apply it"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        acts = options["accept"] or options["unaccept"] or options["restore"]
        if acts and not options["name"]:
            raise CommandError("Name the site.", returncode=2)
        sites = [self.site(options["name"])] if options["name"] else _sites()
        failures = _look(sites, one=bool(options["name"]), deep=options["deep"])
        for logical_id, path in options["accept"]:
            drift.accept(self._resource(sites[0], logical_id), [path])
        for logical_id, path in options["unaccept"]:
            drift.unaccept(self._resource(sites[0], logical_id), [path])
        found = {site.name: drift.of_site(site) for site in sites}
        self._tell(found, failures, as_json=options["json"])
        if options["restore"] and any(found.values()):
            self._restore(sites[0])
        else:
            _end(found, failures)

    def _resource(self, site: Site, logical_id: str) -> Resource:
        rows = drift.rows_of(site)
        row = rows.filter(logical_id=logical_id).first()
        if row is None:
            known = ", ".join(rows.values_list("logical_id", flat=True))
            raise CommandError(f"{site.name} has no {logical_id}; it has {known or 'nothing yet'}.")
        return row

    def _tell(
        self, found: dict[str, list[Found]], failures: list[ResourceFailed], *, as_json: bool
    ) -> None:
        if as_json:
            told = {
                "sites": {
                    name: [each.as_json() for each in of_site] for name, of_site in found.items()
                },
                "failures": [str(failure) for failure in failures],
            }
            self.stdout.write(json.dumps(told, indent=2))
            return
        for name, of_site in found.items():
            for each in of_site:
                mark = "security " if each.is_security else ""
                colour = self.style.ERROR if each.is_security else None
                self.stdout.write(f"{name}: {mark}{each.sentence}", colour)
                self.stdout.write(f"    {_choices(name, each)}")
        for failure in failures:
            self.stderr.write(f"Not looked at: {failure}")

    def _restore(self, site: Site) -> None:
        plan = drift.restore_plan(site)
        self.stdout.write(plan.as_text())
        operation = when_free(lambda: drift.restore(site, plan.checksum))
        tasks.run_operation.delay(operation.pk)
        self.stdout.write(f"Being put right; see `manage.py site_status {site.name}`.")


def _sites() -> list[Site]:
    started = Site.objects.filter(resources__isnull=False).distinct()
    return list(started.select_related("account"))


def _look(sites: list[Site], *, one: bool, deep: bool) -> list[ResourceFailed]:
    if one:
        return check(sites[0], deep=deep)
    if not deep:
        return [failure for each in {site.account for site in sites} for failure in look_over(each)]
    return [failure for site in sites if not is_busy(site) for failure in check(site)]


def _choices(name: str, found: Found) -> str:
    command = f"manage.py check_drift {name}"
    restore = f"`{command} --restore` puts it right"
    if found.fixed:
        return f"{restore}. It cannot be accepted: {found.fixed}"
    return f"{restore}; `{command} --accept {' '.join(found.key)}` keeps it."


def _end(found: dict[str, list[Found]], failures: list[ResourceFailed]) -> None:
    if any(not failure.permanent for failure in failures):
        raise CommandError("AWS would not tell all; try again later.", returncode=TRY_AGAIN_LATER)
    count = sum(map(len, found.values()))
    if count:
        raise CommandError(f"{count} changed on AWS.")
    if failures:
        raise Refused("Not everything could be looked at.")
