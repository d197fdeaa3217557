"""What the commands that destroy share: what would go and what stays is said before and after."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from shlex import quote
from typing import Any

from django.core.management.base import CommandError, CommandParser

from sites import tasks
from sites.errors import Refused, for_people
from sites.management.command import SiteCommand
from sites.management.following import follow
from sites.models import Operation
from sites.provisioning import ProvisioningError
from sites.provisioning.retained import Retained


class DestroyCommand(SiteCommand):
    """``--yes`` and ``--json``; :meth:`destroy` does the rest."""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name")
        parser.add_argument("--yes", action="store_true", help="really")
        parser.add_argument("--json", action="store_true", help="one object on stdout")

    def destroy(
        self,
        options: dict[str, Any],
        what: str,
        goes: Sequence[str],
        stays: Sequence[Retained],
        request: Callable[[], Operation],
        still_there: Callable[[], list[str]],
    ) -> None:
        """Without ``--yes`` refuse, with all that there is to know. ``what`` is it that goes."""
        name = options["name"]
        answer: dict[str, Any] = {
            "name": name,
            "destroyed": False,
            "goes": list(goes),
            "stays": [each.as_json() for each in stays],
        }
        if not options["yes"]:
            self._tell(options, answer, self._preview(goes, stays))
            command = type(self).__module__.rpartition(".")[2]
            raise CommandError(
                f"Nothing was done: this cannot be taken back. If it is meant: "
                f"`manage.py {command} {quote(name)} --yes`"
            )
        operation = request()
        tasks.run_operation.delay(operation.pk)
        follow(operation, (lambda line: None) if options["json"] else self.stdout.write)
        left = self._left(still_there)
        answer |= {"destroyed": True, "still_there": left}
        self._tell(options, answer, self._end(what, stays, left))

    def _left(self, still_there: Callable[[], list[str]]) -> list[str] | None:
        """None when AWS does not tell: what was asked for is done all the same."""
        try:
            with for_people():
                return still_there()
        except (Refused, ProvisioningError) as error:
            self.stderr.write(
                f"Whether AWS still lists anything is not known: {error} "
                "Look with `manage.py find_orphans`."
            )
            return None

    def _tell(self, options: dict[str, Any], answer: dict[str, Any], lines: Sequence[str]) -> None:
        self.stdout.write(json.dumps(answer, indent=2) if options["json"] else "\n".join(lines))

    def _preview(self, goes: Sequence[str], stays: Sequence[Retained]) -> list[str]:
        return [
            "This would be deleted on AWS, in this order:" if goes else "Nothing is on AWS.",
            *(f"- {line}" for line in goes),
            *_stays(stays),
        ]

    def _end(self, what: str, stays: Sequence[Retained], left: Sequence[str] | None) -> list[str]:
        lines = [f"{what} is gone.", *_stays(stays)]
        if left:
            lines.append("AWS still lists these; see `manage.py find_orphans`:")
            lines += [f"? {line}" for line in left]
        return lines


def _stays(stays: Sequence[Retained]) -> list[str]:
    return ["This stays on AWS:", *(f"= {each.as_text()}" for each in stays)] if stays else []
