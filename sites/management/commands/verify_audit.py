"""manage.py verify_audit [--expect DIGEST]"""

from __future__ import annotations

import re
from typing import Any

from django.core.management.base import CommandError, CommandParser

from sites.audit.chain import verify
from sites.management.command import SiteCommand

DIGEST = re.compile(r"[0-9a-f]{64}")


class Command(SiteCommand):
    help = (
        "Is the audit log whole? Tells entries that were changed, removed or put in, and triggers "
        "that are off. Exit code 1 when something is wrong."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--expect",
            default="",
            metavar="DIGEST",
            help="the head that an earlier run told, kept where the database's owner cannot reach "
            "it: so entries that were cut off the end are missed as well",
        )

    def handle(self, *, expect: str, **options: Any) -> None:
        if expect and not DIGEST.fullmatch(expect):
            raise CommandError(
                f"“{expect[:80]}” is no digest: 64 characters from 0 to 9 and a to f, as an "
                "earlier run told them.",
                returncode=2,
            )
        verdict = verify(expect)
        for problem in verdict.problems:
            self.stderr.write(problem)
        if verdict.count:
            raise CommandError(
                f"The audit log is not whole: {verdict.count} "
                f"problem{'s' if verdict.count > 1 else ''} in {verdict.entries:,} entries."
            )
        self.stdout.write(f"The audit log is whole: {verdict.entries:,} entries.")
        if verdict.head:
            self.stdout.write(f"Head: {verdict.head}")
        if not expect:
            self.stdout.write(
                "Not noticed so: entries cut off the end, and a log that the owner of the database "
                "wrote anew. Keep the head elsewhere, and give it with --expect next time."
            )
