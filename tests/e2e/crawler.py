"""A visitor at every point of presence who notices a broken page, a mixture, and wrong bytes."""

from __future__ import annotations

import hashlib
import itertools
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from localcloud.edge.pop import NAMES
from tests.e2e.conftest import Up

RATE = 20  # requests in a second
SCRIPT = re.compile(rb'src="/(assets/[^"]+)"')
RELEASE = re.compile(rb"release (\d+)")


def release_of(number: int, pages: int) -> dict[str, bytes]:
    """A release: each page names it, and its fingerprinted script."""
    script = f"window.release = {number};".encode()
    name = f"assets/app.{hashlib.sha256(script).hexdigest()[:10]}.js"
    files = {name: script, "same.txt": b"in each of them"}
    for page in range(pages):
        path = "index.html" if page == 0 else f"page-{page}/index.html"
        text = f'<!doctype html><p>release {number}, page {page}<script src="/{name}"></script>'
        files[path] = text.encode()
    return files


def write(folder: Path, files: dict[str, bytes]) -> Path:
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    return folder


class Crawler(threading.Thread):
    """Page, then the page's script, at one point of presence after the other.

    ``problems`` are in words; ``seen`` has the releases of each point of presence as they came.
    """

    def __init__(self, up: Up, host: str, pages: int) -> None:
        super().__init__()
        self.up, self.host, self.pages = up, host, pages
        self.problems: list[str] = []
        self.seen: dict[str, list[int]] = {name: [] for name in NAMES}
        self.asked = 0
        self.done = threading.Event()

    def run(self) -> None:
        self.begun = time.monotonic()
        with self.up.visitor(self.host) as client:
            for turn in itertools.count():
                if self.done.is_set():
                    return
                page, pop = divmod(turn, len(NAMES))
                self._visit(client, page % self.pages, NAMES[pop])

    def _visit(self, client: httpx.Client, page: int, pop: str) -> None:
        path = "" if page == 0 else f"page-{page}/"
        content = self._ask(client, path, pop)
        release = RELEASE.search(content)
        if release is None:
            return
        number = int(release[1])
        self.seen[pop].append(number)
        files = release_of(number, self.pages)
        script = SCRIPT.search(content)
        if content != files[f"{path}index.html"] or script is None:
            self.problems.append(f"/{path} at {pop} has other bytes than in release {number}")
        elif self._ask(client, script[1].decode(), pop) != files[script[1].decode()]:
            self.problems.append(f"the script of release {number} at {pop} is not that release's")

    def _ask(self, client: httpx.Client, path: str, pop: str) -> bytes:
        self.done.wait(self.begun + self.asked / RATE - time.monotonic())
        self.asked += 1
        response = client.get(f"/{path}", headers={"X-Localcloud-Pop": pop})
        if response.status_code != 200:
            self.problems.append(f"/{path} at {pop}: {response.status_code} {response.text[:80]}")
        return response.content

    @contextmanager
    def at_work(self) -> Iterator[None]:
        self.start()
        try:
            yield
        finally:
            self.done.set()
            self.join()
