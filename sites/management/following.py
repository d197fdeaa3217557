"""What an operation does, told line by line while it does it."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

from django.core.management.base import CommandError

from sites.management.waits import wait_lines
from sites.models import Operation, Site

JOINS_LATER = frozenset({"certificate", "validation_record", "alias_record", "domain", "domains"})


def follow(operation: Operation, tell: Callable[[str], object]) -> None:
    """Tell what happens until the operation ends, or until the site serves and only waits.

    Raises CommandError when it does not end well.
    """
    seen = 0
    while True:
        operation.refresh_from_db()
        for event in operation.events.all()[seen:]:
            seen += 1
            tell(event.message)
        if operation.status == Operation.Status.SUCCESS:
            return
        if operation.status not in Operation.ACTIVE:
            raise CommandError(operation.error_message or "Superseded by another operation.")
        if operation.kind == Operation.Kind.PROVISION and _only_waits(operation):
            for line in wait_lines(operation.waits):
                tell(line)
            return
        time.sleep(0.2)


def _only_waits(operation: Operation) -> bool:
    """The site serves on its own name; what is left is a person's DNS, or an authority."""
    site = operation.site
    waits = [re.split(r"\W", wait["what"])[0] for wait in operation.waits]
    return bool(site and site.state == Site.State.LIVE and waits and JOINS_LATER.issuperset(waits))
