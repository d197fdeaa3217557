"""A lean HTTP/1.1 client for one server on loopback, with a pool of connections.

httpx and httpcore spend more on each request than MiniStack does on a small object; h11 and
asyncio's own streams spend a tenth of it.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Sequence
from dataclasses import dataclass, field

import h11

IDLE_SECONDS = 60  # MiniStack closes after 75
CHUNK = 256 * 1024

Headers = Sequence[tuple[bytes, bytes]]


class Unreachable(Exception):
    """The server did not answer, or went away in the middle; the message says where."""


@dataclass
class Connection:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    protocol: h11.Connection = field(default_factory=lambda: h11.Connection(h11.CLIENT))
    idle_since: float = 0

    @property
    def usable(self) -> bool:
        return not self.reader.at_eof() and time.monotonic() - self.idle_since < IDLE_SECONDS

    async def send(self, *events: h11.Request | h11.Data | h11.EndOfMessage) -> None:
        """All of them in one write: a small object is one packet."""
        self.writer.write(b"".join(self.protocol.send(event) or b"" for event in events))
        await self.writer.drain()

    async def receive(self) -> h11.Event:
        while (event := self.protocol.next_event()) is h11.NEED_DATA:
            self.protocol.receive_data(await self.reader.read(CHUNK))
        if not isinstance(event, h11.Event):
            raise h11.RemoteProtocolError("the connection ended before the response")
        return event


@dataclass
class Response:
    """Read it to the end or close it; either way its connection is accounted for."""

    status: int
    headers: list[tuple[bytes, bytes]]
    connection: Connection
    upstream: Upstream

    async def chunks(self) -> AsyncIterator[bytes]:
        while not isinstance(event := await self.connection.receive(), h11.EndOfMessage):
            if isinstance(event, h11.Data):
                yield bytes(event.data)
        self.upstream.put_back(self.connection)

    async def read(self) -> bytes:
        """All of the body. Raises Unreachable."""
        try:
            return b"".join([chunk async for chunk in self.chunks()])
        except (OSError, h11.RemoteProtocolError) as error:
            raise Unreachable(f"the response broke off: {error!r}") from error
        finally:
            self.close()

    def close(self) -> None:
        """For a response that is not read to its end; harmless after that."""
        if self.connection.protocol.our_state is not h11.IDLE:
            self.connection.writer.close()


class Upstream:
    def __init__(self, host: str, port: int) -> None:
        self.host, self.port = host, port
        self._idle: deque[Connection] = deque()

    async def request(
        self, method: str, target: bytes, headers: Headers, body: AsyncIterable[bytes] | bytes = b""
    ) -> Response:
        """Raises Unreachable. ``headers`` have Host, and Content-Length or chunked for a body."""
        try:
            connection = await self._connect()
            try:
                return await self._exchange(connection, method, target, headers, body)
            except BaseException:
                connection.writer.close()
                raise
        except (OSError, h11.RemoteProtocolError) as error:
            raise Unreachable(f"{self.host}:{self.port} {method} {target!r}: {error!r}") from error

    async def _connect(self) -> Connection:
        while self._idle:
            connection = self._idle.pop()
            if connection.usable:
                return connection
            connection.writer.close()
        return Connection(*await asyncio.open_connection(self.host, self.port, limit=4 * CHUNK))

    async def _exchange(
        self,
        connection: Connection,
        method: str,
        target: bytes,
        headers: Headers,
        body: AsyncIterable[bytes] | bytes,
    ) -> Response:
        unsent: tuple[h11.Request | h11.Data, ...] = (
            h11.Request(method=method, target=target, headers=list(headers)),
        )
        if isinstance(body, bytes):
            unsent += (h11.Data(data=body),)
        else:
            async for chunk in body:
                await connection.send(*unsent, h11.Data(data=chunk))
                unsent = ()
        await connection.send(*unsent, h11.EndOfMessage())
        while True:
            event = await connection.receive()
            if isinstance(event, h11.Response):
                return Response(event.status_code, list(event.headers), connection, self)

    def put_back(self, connection: Connection) -> None:
        protocol = connection.protocol
        if protocol.our_state is h11.DONE and protocol.their_state is h11.DONE:
            protocol.start_next_cycle()
            connection.idle_since = time.monotonic()
            self._idle.append(connection)
        else:
            connection.writer.close()

    async def close(self) -> None:
        while self._idle:
            self._idle.pop().writer.close()
