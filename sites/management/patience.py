"""Asking until the worker that is busy with a site has finished its pass."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from sites.operations import OperationRefused

# A pass over a site takes seconds; longer than this something else is wrong.
PATIENCE_SECONDS = 60.0

Answer = TypeVar("Answer")


def when_free(ask: Callable[[], Answer]) -> Answer:
    """What ``ask`` returns once it is not refused for now. Raises OperationRefused."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return ask()
        except OperationRefused as refused:
            if not refused.try_again or time.monotonic() > deadline:
                raise
            time.sleep(0.5)
