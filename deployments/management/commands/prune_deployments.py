"""``manage.py prune_deployments NAME [--dry-run]``"""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.template.defaultfilters import filesizeformat

from deployments import access, retention
from sites.management.command import TRY_AGAIN_LATER, SiteCommand
from sites.models import Site


class Command(SiteCommand):
    help = (
        "Give up old deployments, and delete the objects of those that were given up a while ago. "
        "It is done every hour by itself."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name")
        parser.add_argument("--dry-run", action="store_true", help="only say what would be done")
        parser.add_argument(
            "--keep", type=_count, metavar="N", help="from now on, so many published deployments"
        )
        parser.add_argument(
            "--days", type=_count, metavar="D", help="from now on, all younger than so many days"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        site = self.site(options["name"])
        if options["dry_run"]:
            numbers = [row.number for row in retention.prunable(site).only("number")]
            self._say(site, f"Would give up: {_listed(numbers)}. Nothing was done.")
            return
        wanted = {"keep_deployments": options["keep"], "keep_days": options["days"]}
        access.keep(site, **{name: n for name, n in wanted.items() if n is not None})
        numbers = retention.prune(site)
        try:
            swept = retention.sweep(site)
        except retention.SweepFailed as error:
            raise CommandError(str(error), returncode=TRY_AGAIN_LATER) from error
        self._say(site, f"Given up: {_listed(numbers)}. {swept.objects} objects were deleted.")
        if swept.waits_for:
            self.stdout.write(f"The rest waits: {swept.waits_for}")

    def _say(self, site: Site, done: str) -> None:
        space = retention.space(site)
        self.stdout.write(
            f"{done}\n{site.name} takes {_size(space.bytes)} in {space.objects} objects, "
            f"${space.monthly_cost:,.2f} a month; {_size(space.reclaimable)} of it go when what "
            "was given up is deleted."
        )


def _count(text: str) -> int:
    number = int(text)
    if not 0 <= number <= 100_000:
        raise ValueError(text)
    return number


def _listed(numbers: list[int]) -> str:
    return ", ".join(f"#{number}" for number in numbers) or "nothing"


def _size(size: int) -> str:
    return filesizeformat(size).replace("\xa0", " ")
