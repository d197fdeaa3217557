"""An HTTP server that keeps what it is sent and answers as it is told."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

# Status, headers and body.
Reply = tuple[int, dict[str, str], bytes]


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Receiver:
    """``reply`` is called with every request. At the one after ``keeps`` it hangs up instead."""

    url: str = ""
    keeps: int = 0
    requests: list[Request] = field(default_factory=list)
    reply: Callable[[Request], Reply] = lambda request: (204, {}, b"")

    def posts(self, end: str) -> list[Any]:
        """What was posted to paths with that end."""
        found = [r for r in self.requests if r.method == "POST" and r.path.endswith(end)]
        return [request.json for request in found]


@contextmanager
def receiving() -> Iterator[Receiver]:
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        answered = 0

        def handle_any(self) -> None:
            self.close_connection = self.answered >= receiver.keeps
            if receiver.keeps and self.close_connection:
                return
            self.answered += 1
            kept = {} if receiver.keeps else {"Connection": "close"}
            length = int(self.headers.get("Content-Length", 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            request = Request(self.command, self.path, headers, self.rfile.read(length))
            receiver.requests.append(request)
            status, reply_headers, body = receiver.reply(request)
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **kept, **reply_headers}.items():
                self.send_header(name, value)
            self.end_headers()
            with suppress(ConnectionError):  # a client that was cancelled
                self.wfile.write(body)

        do_GET = do_HEAD = do_POST = do_PUT = handle_any

        def log_message(self, *args: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        receiver.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield receiver
        finally:
            server.shutdown()
            thread.join()
