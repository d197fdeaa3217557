"""What all our commands share: a site by its name, and exit codes.

DESIGN section 11: 0 done, 1 refused or failed with a reason on stderr, 2 usage, 75 try again later.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, TextIO

from django.core.management.base import BaseCommand, CommandError, OutputWrapper

from sites.errors import Refused, for_people
from sites.models import Site
from sites.plain import plain
from sites.provisioning import ProvisioningError, ResourceFailed

TRY_AGAIN_LATER = 75


class PlainOutput(OutputWrapper):
    """Text of others does nothing to the terminal: only ``style_func`` colours a line."""

    def write(  # type: ignore[override]  # as Django's own
        self,
        msg: str = "",
        style_func: Callable[[str], str] | None = None,
        ending: str | None = None,
    ) -> None:
        super().write(plain(str(msg)), style_func, ending)


class SiteCommand(BaseCommand):
    """A command about sites. Every refusal becomes one sentence on stderr and its exit code."""

    # They import every page of the dashboard; `manage.py check` and the web server make them.
    requires_system_checks = ()

    def __init__(
        self, stdout: TextIO | None = None, stderr: TextIO | None = None, **kwargs: Any
    ) -> None:
        super().__init__(stdout, stderr, **kwargs)
        self.stdout = PlainOutput(stdout or sys.stdout)
        self.stderr = PlainOutput(stderr or sys.stderr)
        self.stderr.style_func = self.style.ERROR

    def execute(self, *args: Any, **options: Any) -> str | None:
        for name in ("stdout", "stderr"):
            if given := options.pop(name, None):
                setattr(self, name, PlainOutput(given))
        try:
            with for_people():
                return super().execute(*args, **options)
        except Refused as refused:
            raise CommandError(
                str(refused), returncode=TRY_AGAIN_LATER if refused.try_again else 1
            ) from refused
        except ProvisioningError as error:
            again = isinstance(error, ResourceFailed) and not error.permanent
            raise CommandError(str(error), returncode=TRY_AGAIN_LATER if again else 1) from error
        except KeyboardInterrupt as error:
            raise CommandError(
                "Interrupted. What was asked for before goes on by itself."
            ) from error

    def site(self, name: str) -> Site:
        sites = Site.objects.select_related("account")
        site = sites.filter(name=name).first() if name.isascii() else None
        if site is None:
            raise CommandError(
                f"There is no site “{name}”. The dashboard lists them; "
                f"`manage.py create_site {name}` makes one."
            )
        return site
