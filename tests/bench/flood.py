"""A thousand requests a second from two hundred addresses, and what others feel of it."""

from __future__ import annotations

import asyncio
import threading
import time
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import psycopg

ADDRESSES = 200
RATE = 1000  # requests/s of all of them
NORMAL = 10
NORMAL_RATE = 2  # requests/s of each
SECONDS = 10.0
OPEN = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'cloudadmin-counter'"


@dataclass
class Flood:
    """Seconds of the answers to normal clients; what the flood was answered; connections open."""

    normal: list[float] = field(default_factory=list)
    flood: list[float] = field(default_factory=list)
    refused: int = 0
    connections: int = 0


def measure(edge: str, host: str, url: str) -> Flood:
    """``edge`` is its address, ``host`` the site's, ``url`` the counter database's."""
    result, over = Flood(), threading.Event()
    watch = threading.Thread(target=_watch, args=(url, result, over))
    watch.start()
    try:
        asyncio.run(_all(edge, host, result))
    finally:
        over.set()
        watch.join()
    return result


def _watch(url: str, result: Flood, over: threading.Event) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        while not over.wait(0.2):
            row = connection.execute(OPEN).fetchone()
            result.connections = max(result.connections, row[0] if row else 0)


async def _all(edge: str, host: str, result: Flood) -> None:
    end = time.monotonic() + SECONDS
    clients = [
        _client(edge, host, f"198.18.0.{n}", RATE / ADDRESSES, end, result.flood, result)
        for n in range(ADDRESSES)
    ] + [
        _client(edge, host, f"203.0.113.{n}", NORMAL_RATE, end, result.normal, result)
        for n in range(NORMAL)
    ]
    await asyncio.gather(*clients)


async def _client(
    edge: str,
    host: str,
    address: str,
    rate: float,
    end: float,
    taken: list[float],
    result: Flood,
) -> None:
    """Asks at its rate, and at once again when the answer was late; never two at a time."""
    at = urlsplit(edge)
    reader, writer = await asyncio.open_connection(at.hostname, at.port)
    due = time.monotonic()
    while due < end:
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        # A normal client is counted each time, as another visitor of the same address.
        agent = f"Mozilla/5.0 {len(taken)}" if taken is result.normal else "Mozilla/5.0"
        started = time.monotonic()
        writer.write(
            f"GET /_cloudadmin/count HTTP/1.1\r\nHost: {host}\r\nUser-Agent: {agent}\r\n"
            f"X-Localcloud-Viewer-Address: {address}\r\n\r\n".encode()
        )
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        await reader.readexactly(int(head.partition(b"content-length:")[2].split(b"\r\n")[0]))
        taken.append(time.monotonic() - started)
        result.refused += b" 200 " not in head.partition(b"\r\n")[0]
        due = max(due + 1 / rate, time.monotonic())
    writer.close()
    await writer.wait_closed()
