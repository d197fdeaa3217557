"""Handing rows to the workers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db import transaction


def wake(hand_over: Callable[..., object], *about: Any, **options: Any) -> None:
    """After the commit, as in ``wake(task.delay, pk)``. Without Redis the row waits, and beat finds
    it; nobody is refused."""

    def send() -> None:  # Django logs the name of what fails here, which a partial has not
        hand_over(*about, **options)

    transaction.on_commit(send, robust=True)
