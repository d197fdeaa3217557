"""``manage.py import_visits SITE FILE``: the days of another counter, beside our own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from sites.management.command import SiteCommand
from sites.models import Site, VisitImport
from sites.visits import imports


class Command(SiteCommand):
    help = "Import the statistics that GoatCounter or Plausible exported, or take them out again."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("site", help="name of the site")
        what = parser.add_mutually_exclusive_group(required=True)
        what.add_argument("file", nargs="?", type=Path, help="GoatCounter's CSV, Plausible's zip")
        what.add_argument("--undo", type=int, metavar="NUMBER", help="take this import out again")
        what.add_argument("--list", action="store_true", help="the imports of the site")
        parser.add_argument(
            "--from",
            dest="source",
            choices=VisitImport.Source.values,
            default="",
            help="whose export it is (default: as the file looks)",
        )
        parser.add_argument(
            "--beside-own",
            action="store_true",
            help="import also the days on which the site's own counter counted",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        site = self.site(options["site"])
        if options["list"]:
            self._list(site)
        elif options["undo"] is not None:
            self._undo(site, options["undo"])
        else:
            self._load(site, options)

    def _load(self, site: Site, options: dict[str, Any]) -> None:
        path: Path = options["file"]
        try:
            with path.open("rb") as stream:
                made = imports.load(
                    site,
                    stream,
                    path.name,
                    source=options["source"],
                    beside_own=options["beside_own"],
                )
        except OSError as error:
            raise CommandError(f"{path} cannot be read: {error.strerror}.") from error
        self.stdout.write(f"{site.name}: {_told(made)}")
        if made.days_left:
            self.stdout.write(
                f"{made.days_left} days of the file were left out: our own counter, or another"
                " import, counts them already."
            )

    def _list(self, site: Site) -> None:
        for made in site.visit_imports.all():
            self.stdout.write(_told(made))

    def _undo(self, site: Site, number: int) -> None:
        made = site.visit_imports.filter(pk=number).first()
        if made is None:
            raise CommandError(f"{site.name} has no import {number}; --list shows those it has.")
        imports.undo(made)
        self.stdout.write(f"{site.name}: import {number} was taken out again.")


def _told(made: VisitImport) -> str:
    return (
        f"import {made.pk}, {made.get_source_display()}, {made.file_name}:"
        f" {made.pageviews} pageviews from {made.first_day} to {made.last_day}"
    )
