"""Who acts. The database is told before each statement that writes to a watched table.

So there is nothing to forget: a connection that is used again, a transaction that was rolled back
and a pool between us and PostgreSQL can have no other actor than the one of the moment. A statement
that only reads costs nothing.
"""

from __future__ import annotations

import getpass
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict, dataclass, replace
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

SETTING = "cloudadmin.actor"
# What begins otherwise may write.
READS = re.compile(r"\s*(?:SELECT|SAVEPOINT|RELEASE|ROLLBACK|SET|SHOW|FETCH|CLOSE)\b", re.I)
WATCHED = re.compile(r"\b(?:sites|deployments|auth|mfa|socialaccount|account|people)_\w")


@dataclass(frozen=True)
class Actor:
    """``via`` is one of ``AuditEntry.Via``; ``name`` is kept when the user is gone."""

    name: str
    via: str
    id: int | None = None
    address: str = ""
    request: str = ""

    def as_json(self) -> str:
        return json.dumps(asdict(self))


def _of_this_process() -> Actor:
    """Who started it, where nothing else is known."""
    try:
        return Actor(getpass.getuser(), "command")
    except (KeyError, OSError):  # a container whose user has no name
        return Actor("somebody", "command")


WORKER = Actor("worker", "worker")
this_process = _of_this_process()
_current: ContextVar[Callable[[], Actor]] = ContextVar("actor", default=lambda: this_process)


def current() -> Actor:
    return _current.get()()


@contextmanager
def acting(actor: Actor | Callable[[], Actor]) -> Iterator[None]:
    """What is written in this block, this actor writes. A callable is asked at each write: who a
    request is of may become known, or change, while it is answered."""
    token = _current.set(actor if callable(actor) else lambda: actor)
    try:
        yield
    finally:
        _current.reset(token)


def on_behalf_of(user: Any) -> Any:
    """In a worker, the work is that of whoever asked for it, where that is known."""
    actor = current()
    if user is None or actor.via != WORKER.via:
        return acting(actor)
    return acting(replace(actor, name=user.get_username(), id=user.pk))


def tell(connection: BaseDatabaseWrapper, actor: Actor) -> None:
    """Beside Django's cursor, so that it is no query of whoever counts them."""
    with connection.wrap_database_errors:
        connection.connection.execute(
            "SELECT set_config(%s, %s, false)", (SETTING, actor.as_json())
        )


def before_writing(
    execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: dict[str, Any]
) -> Any:
    """Django's wrapper around each statement."""
    text = sql if isinstance(sql, str) else ""
    if not READS.match(text) and (not text or WATCHED.search(text)):
        tell(context["connection"], current())
    return execute(sql, params, many, context)


def on_connection(connection: BaseDatabaseWrapper, **_: Any) -> None:
    if connection.vendor == "postgresql" and before_writing not in connection.execute_wrappers:
        # First: whoever wraps for a while takes off the last one.
        connection.execute_wrappers.insert(0, before_writing)
