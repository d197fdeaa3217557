"""Refusals, in words for the person who asked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import InterfaceError, OperationalError
from kombu.exceptions import OperationalError as BrokerError

from cloudadmin.aws import BotoCoreError, ClientError, error_code, is_permanent
from sites.provisioning.errors import SUGGESTIONS


class Refused(Exception):
    """Nothing was changed; the message says why, and what to try.

    ``try_again`` says whether the same request can succeed later.
    """

    def __init__(self, message: str, *, try_again: bool = False) -> None:
        super().__init__(message)
        self.try_again = try_again


@contextmanager
def for_people() -> Iterator[None]:
    """Turn what the outside world refuses into one sentence."""
    try:
        yield
    except (OperationalError, InterfaceError) as error:
        raise Refused(
            f"The database does not answer: {_first_line(error)}. "
            "Is `make up` running, or DATABASE_URL right?",
            try_again=True,
        ) from error
    except ImproperlyConfigured as error:
        if settings.DATABASE_URL:
            raise
        raise Refused(
            "No database is configured: start everything with `make up`, or set DATABASE_URL.",
            try_again=True,
        ) from error
    except BrokerError as error:
        raise Refused(
            f"Redis does not answer: {_first_line(error)}. Is `make up` running?",
            try_again=True,
        ) from error
    except (ClientError, BotoCoreError) as error:
        raise Refused(in_words(error), try_again=not is_permanent(error)) from error


def in_words(error: ClientError | BotoCoreError) -> str:
    """What AWS refused and, where that is known, what to try."""
    if isinstance(error, ClientError):
        code = error_code(error)
        message = error.response["Error"].get("Message", "").rstrip(".")
        return f"AWS refused {error.operation_name}: {code}: {message}.{hint(code)}"
    where = settings.AWS_ENDPOINT_URL or "AWS"
    return (
        f"{where} cannot be reached: {_first_line(error)}. "
        "Is the local cloud running, or the network there?"
    )


def hint(code: str) -> str:
    """What to try, to be put behind a sentence; empty where nothing is known of a code of AWS."""
    todo = SUGGESTIONS.get(code)
    return f" Try: {todo}" if todo else ""


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
