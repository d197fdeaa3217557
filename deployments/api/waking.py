"""Handing rows to the workers."""

from __future__ import annotations

from typing import Any

from celery import Task
from django.db import transaction


def wake(task: Task[Any, Any], pk: int) -> None:
    """After the commit. Without Redis the row waits, and beat finds it; nobody is refused."""

    def send() -> None:  # a function, because Django logs the name of what fails here
        task.delay(pk)

    transaction.on_commit(send, robust=True)
