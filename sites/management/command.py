"""What all our commands share: a site by its name, and errors for people.

Exit codes (DESIGN section 11): 0 done, 1 refused or failed with a reason on stderr, 2 usage,
75 try again later.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError
from django.db import InterfaceError, OperationalError
from kombu.exceptions import OperationalError as BrokerError

from cloudadmin.aws import BotoCoreError, ClientError, error_code, is_permanent
from sites.models import Site

TRY_AGAIN_LATER = 75


class SiteCommand(BaseCommand):
    """A command about sites. Subclasses raise CommandError; everything else is translated here."""

    # They import every page of the dashboard; `manage.py check` and the web server make them.
    requires_system_checks = ()

    def execute(self, *args: Any, **options: Any) -> str | None:
        with for_people():
            return super().execute(*args, **options)

    def site(self, name: str) -> Site:
        sites = Site.objects.select_related("account")
        site = sites.filter(name=name).first() if name.isascii() else None
        if site is None:
            raise CommandError(
                f"There is no site “{name}”. The dashboard lists them; "
                f"`manage.py create_site {name}` makes one."
            )
        return site


@contextmanager
def for_people() -> Iterator[None]:
    """Turn what the outside world refuses into one sentence and an exit code."""
    try:
        yield
    except KeyboardInterrupt as error:
        raise CommandError("Interrupted. What was asked for before goes on by itself.") from error
    except (OperationalError, InterfaceError) as error:
        raise CommandError(
            f"The database does not answer: {_first_line(error)}. "
            "Is `make up` running, or DATABASE_URL right?",
            returncode=TRY_AGAIN_LATER,
        ) from error
    except ImproperlyConfigured as error:
        if settings.DATABASE_URL:
            raise
        raise CommandError(
            "No database is configured: start everything with `make up`, or set DATABASE_URL.",
            returncode=TRY_AGAIN_LATER,
        ) from error
    except BrokerError as error:
        raise CommandError(
            f"Redis does not answer: {_first_line(error)}. Is `make up` running?",
            returncode=TRY_AGAIN_LATER,
        ) from error
    except ClientError as error:
        raise CommandError(
            f"AWS refused {error.operation_name}: {error_code(error)}: "
            f"{error.response['Error'].get('Message', '')}",
            returncode=1 if is_permanent(error) else TRY_AGAIN_LATER,
        ) from error
    except BotoCoreError as error:
        where = settings.AWS_ENDPOINT_URL or "AWS"
        raise CommandError(
            f"{where} cannot be reached: {_first_line(error)}. "
            "Is the local cloud running, or the network there?",
            returncode=TRY_AGAIN_LATER,
        ) from error


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
