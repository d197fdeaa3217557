"""Two ways to the counter database of an account: the worker's own, and a counter function's.

Both run ``lambda_src/counter/export.sql``: what changed since a position, as absolute sums, in the
order of its keys. A function answers it page by page; the worker itself passes it on as it comes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol
from uuid import UUID

import psycopg
from django.conf import settings

from cloudadmin.aws import BotoCoreError, ClientError, error_code
from sites.models import VisitCursor
from sites.visits.retention import Span

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

EXPORT = Path(settings.BASE_DIR) / "lambda_src" / "counter" / "export.sql"
PRUNE = EXPORT.with_name("prune.sql")
CONNECT_SECONDS = 5
# All that there is, at the first reading, is one statement.
STATEMENT_SECONDS = 600
BLOCK_BYTES = 64 * 1024
# An answer of Lambda has 6 MB at most; the function stops before.
# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
INVOKED_LIMIT = 20_000
# What a small database deletes in a second.
PRUNED = 20_000


class Unreadable(Exception):
    """The counter database was not read; the text says why, and what to try."""


class Key(NamedTuple):
    site: UUID
    hour: datetime
    kind: int
    value: str


class Row(NamedTuple):
    """One key of ``counter.count``, summed over its slots."""

    site: UUID
    hour: datetime
    kind: int
    value: str
    pageviews: int
    visits: int
    visitors: int
    bots: int

    @property
    def key(self) -> Key:
        return Key(*self[:4])


class Mark(NamedTuple):
    """A database, the oldest transaction in it that may not have been read, and when it was."""

    epoch: UUID | None
    position: int
    read_at: datetime | None = None


@dataclass(frozen=True)
class Batch:
    """A page of a function. The ``mark`` of the first one is where the next reading begins."""

    mark: Mark
    rows: Sequence[Row]
    more: bool


class Stage(Protocol):
    """Where rows are put: one after another, or as ``COPY (FORMAT binary)`` has them."""

    def add(self, rows: Iterable[Row]) -> None: ...

    def copy(self, blocks: Iterable[bytes]) -> None: ...


class Reader(Protocol):
    name: VisitCursor.Reader

    def read(self, since: Mark, stage: Stage) -> Mark:
        """Stage all that changed since, from the start for another database or one that was set
        back; where the next reading begins. Raises Unreadable.
        """
        ...

    def prune(self, read: Mark, span: Span) -> int:
        """Have the database let go of what is past and was read up to there, at most ``PRUNED`` of
        each sort; how many. Raises Unreadable.
        """
        ...


Ask = Callable[[Mark, Key | None], Batch]


def pages(ask: Ask, since: Mark) -> Iterator[Batch]:
    """One page after another, also when each is of a snapshot of its own.

    What changes meanwhile changes after the first page's mark, and is read again next time.
    """
    first = batch = ask(since, None)
    yield batch
    if first.mark.epoch != since.epoch or first.mark.position < since.position:
        since = Mark(first.mark.epoch, 0)  # or it would go on from where it has not been
    while batch.more:
        batch = ask(since, batch.rows[-1].key)
        if batch.mark.epoch != first.mark.epoch:
            raise Unreadable("The counter database was replaced while it was read.")
        yield batch


@dataclass(frozen=True)
class CounterDatabase:
    """Where the counter database of an account is; ``tls`` is ``require`` or ``disable``."""

    host: str
    port: int
    name: str
    user: str
    password: str
    tls: str = "require"


@dataclass(frozen=True)
class Direct:
    """Connects to the database and passes its rows on."""

    database: CounterDatabase
    name = VisitCursor.Reader.DIRECT

    def read(self, since: Mark, stage: Stage) -> Mark:
        with self._explained():
            connection = self._connect()
        with closing(connection):
            asked = {**since._asdict(), **dict.fromkeys(Key._fields), "limit": None}
            with self._explained():
                row = connection.execute(_export(), {**asked, "limit": 0}).fetchone()
                if row is None:
                    raise psycopg.DataError("it has no epoch")
            stage.copy(self._blocks(connection, asked))  # of the same snapshot
            return Mark(*row[:2])

    def prune(self, read: Mark, span: Span) -> int:
        with self._explained():
            connection = self._connect()
            with closing(connection):
                connection.read_only = False
                # Hits that sweep out the same rows are no reason to fail.
                connection.isolation_level = psycopg.IsolationLevel.READ_COMMITTED
                asked = {**read._asdict(), **span._asdict(), "limit": PRUNED}
                row = connection.execute(PRUNE.read_bytes(), asked).fetchone()
                connection.commit()
        return int(row[0]) if row else 0

    def _connect(self) -> psycopg.Connection[tuple[Any, ...]]:
        at = self.database
        connection = psycopg.connect(
            host=at.host,
            port=at.port,
            dbname=at.name,
            user=at.user,
            password=at.password,
            sslmode=at.tls,
            connect_timeout=CONNECT_SECONDS,
            options=f"-c statement_timeout={STATEMENT_SECONDS}s -c timezone=UTC"
            " -c work_mem=64MB -c jit=off",
            application_name="cloudadmin-pull",
            cursor_factory=psycopg.ClientCursor,  # COPY takes no parameters
        )
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        return connection

    def _blocks(
        self, connection: psycopg.Connection[tuple[Any, ...]], asked: dict[str, Any]
    ) -> Iterator[bytes]:
        """The rows as the one database has them and the other takes them, unread."""
        block = bytearray()
        with self._explained(), connection.cursor().copy(_copy(), asked) as copy:
            for piece in copy:
                block += piece
                if len(block) >= BLOCK_BYTES:
                    yield bytes(block)
                    block.clear()
            yield bytes(block)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except psycopg.Error as error:
            raise Unreadable(self._explain(error)) from error

    def _explain(self, error: psycopg.Error) -> str:
        where = f"The counter database at {self.database.host}:{self.database.port}"
        if isinstance(error, psycopg.errors.UndefinedTable | psycopg.errors.InvalidSchemaName):
            return (
                f"{where} has no counter tables yet, or those of an older version."
                " They come when the site's counter is provisioned."
            )
        return (
            f"{where} could not be read: {_flat(error)}."
            " See whether the instance is available and lets this machine in;"
            " the next pull tries again and loses nothing."
        )


@cache
def _export() -> bytes:
    return EXPORT.read_bytes()


@cache
def _copy() -> bytes:
    columns = ", ".join(Row._fields).encode()
    return b"COPY (SELECT %b FROM (%b) export WHERE site IS NOT NULL) TO STDOUT (FORMAT binary)" % (
        columns,
        _export(),
    )


@dataclass(frozen=True)
class Invoked:
    """Has a counter function read, where the database does not let this machine in."""

    client: LambdaClient
    function_name: str
    limit: int = INVOKED_LIMIT
    name = VisitCursor.Reader.INVOKED

    def read(self, since: Mark, stage: Stage) -> Mark:
        mark = None
        for batch in pages(self._page, since):
            stage.add(batch.rows)
            mark = mark or batch.mark
        assert mark is not None  # noqa: S101  there is at least one page
        return mark

    def prune(self, read: Mark, span: Span) -> int:
        answer = self._invoke(
            {
                "action": "prune",
                "epoch": str(read.epoch),
                "position": read.position,
                "kind": span.kind,
                "since": span.since and span.since.isoformat(),
                "before": span.before.isoformat(),
                "limit": PRUNED,
            }
        )
        try:
            return int(answer["pruned"])
        except (KeyError, TypeError) as error:
            raise Unreadable(f"The function {self.function_name} cannot prune.") from error

    def _page(self, since: Mark, after: Key | None) -> Batch:
        answer = self._invoke(
            {
                "action": "export",
                "epoch": since.epoch and str(since.epoch),
                "position": since.position,
                "read_at": since.read_at and since.read_at.isoformat(),
                "after": after and [str(after.site), after.hour.isoformat(), *after[2:]],
                "limit": self.limit,
            }
        )
        try:
            rows = [
                Row(UUID(site), datetime.fromisoformat(hour), *numbers)
                for site, hour, *numbers in answer["rows"]
            ]
            return Batch(Mark(UUID(answer["epoch"]), answer["position"]), rows, answer["more"])
        except (KeyError, TypeError, ValueError) as error:
            raise Unreadable(
                f"The function {self.function_name} gave no answer that can be read: {error!r}."
                " Provision the site again, so that it gets the newest counter."
            ) from error

    def _invoke(self, request: dict[str, Any]) -> Any:
        try:
            response = self.client.invoke(
                FunctionName=self.function_name, Payload=json.dumps(request).encode()
            )
            answer = json.loads(response["Payload"].read() or b"null")
        except (BotoCoreError, ClientError, ValueError) as error:
            raise Unreadable(self._explain(error)) from error
        if response.get("FunctionError"):
            raise Unreadable(
                f"The function {self.function_name} could not read the counter database:"
                f" {(answer or {}).get('errorMessage', 'it did not say why')}."
                " Where it does not know how, provision the site again; where the database is away,"
                " the next pull tries again and loses nothing."
            )
        return answer

    def _explain(self, error: Exception) -> str:
        if error_code(error) == "TooManyRequestsException":
            return (
                f"The function {self.function_name} is busy: as many of it run as the account's"
                " concurrency allows. The next pull tries again and loses nothing."
            )
        return (
            f"The function {self.function_name} could not be called to read the counter database:"
            f" {_flat(error)}. The next pull tries again and loses nothing."
        )


def _flat(error: Exception) -> str:
    return " ".join(str(error).split()).rstrip(".")
