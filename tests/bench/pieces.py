"""The steps of a deploy and of a visit alone, in this process."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import TypeVar

from deployments import manifest
from deployments.edge.edge_index import Index, append, digest, head
from localcloud.function_runtime import FunctionRuntime
from tests.bench import tree
from tests.bench.table import Row
from tests.e2e.conftest import ROOT

T = TypeVar("T")

PATHS = 100_000
CHANGES = 5
REPEATS = 5
ROUTED = 2_000
HOST = "example.com"


def measure(folder: Path) -> list[Row]:
    return [_manifest(folder / "pieces"), *_index_and_router()]


def _manifest(root: Path) -> Row:
    tree.generate(root, seed=0)
    size = sum(file.stat().st_size for file in root.rglob("*") if file.is_file())
    taken = _seconds(lambda: manifest.build(root))
    rate = size / taken / 1e6
    return Row(f"manifest of {tree.FILES} files", f"{taken * 1000:.0f} ms", note=f"{rate:.0f} MB/s")


def _index_and_router() -> list[Row]:
    files = {path: digest(path) + "x" * 13 for path in tree.paths(PATHS)}
    index = append(Index(), 1, files).index
    changed = dict.fromkeys(list(files)[:: PATHS // CHANGES][:CHANGES], "y" * 22)
    change = append(index, 2, files | changed, reachable=[1])
    taken = _seconds(lambda: append(index, 2, files | changed, reachable=[1]))
    stored = {f"{index.generation}:{n}": value for n, value in index.values.items()} | change.puts
    stored[f"h:{HOST}"] = head(2, change.index)
    return [
        Row(
            f"index of {PATHS:,} paths, {CHANGES} changes appended",
            f"{taken * 1000:.0f} ms",
            note=f"{len(change.puts)} keys written",
        ),
        Row(
            f"router, one address of {PATHS:,}",
            f"{_routed(stored, list(files)) * 1e6:.0f} µs",
            note="QuickJS; design: 6 to 30 µs",
        ),
    ]


def _routed(stored: dict[str, str], paths: list[str]) -> float:
    """Median seconds of one run of the router; every answer is looked at."""
    router = FunctionRuntime((ROOT / "lambda_src/router/router.js").read_text(), stored)
    samples = []
    for path in paths[:: len(paths) // ROUTED]:
        request = {"uri": f"/{path}", "headers": {"host": {"value": HOST}}, "querystring": {}}
        started = time.perf_counter()
        answer = router.run({"request": request})
        samples.append(time.perf_counter() - started)
        if not answer["uri"].startswith("/objects/"):
            raise AssertionError(f"{path} was routed to {answer}")
    return median(samples)


def _seconds(call: Callable[[], T]) -> float:
    samples = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        call()
        samples.append(time.perf_counter() - started)
    return median(samples)
