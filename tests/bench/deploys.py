"""The whole command beside the peers, on one local cloud, taking turns; and the way back."""

from __future__ import annotations

import subprocess
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from statistics import median

from cloudadmin import embedded
from cloudadmin.aws import Access, Clients
from tests.bench import tree, uploads
from tests.bench.table import Row, ratio, seconds
from tests.e2e.conftest import ROOT, Up, clean_environment

PEERS = ("aws", "s5cmd", "rclone")
ROUNDS = 3
JOBS = ("first deploy", "nothing changed", "1 % changed")
PATIENCE_SECONDS = 60.0


@dataclass
class Samples:
    """Wall seconds of whole processes, of our command's own clock, and files that we sent."""

    ours: list[float] = field(default_factory=list)
    own: list[float] = field(default_factory=list)
    theirs: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    sent: set[int] = field(default_factory=set)


def measure(up: Up, folder: Path) -> list[Row]:
    """Every round has a site, a bucket and a tree of its own; who goes first alternates."""
    jobs: defaultdict[str, Samples] = defaultdict(Samples)
    back: list[float] = []
    whole: list[float] = []
    for number in range(ROUNDS):
        site, root = f"bench-{number}", folder / f"tree-{number}"
        host = up.live_site(site, "--no-counter")
        tree.generate(root, number)
        _new_bucket(up, site)
        before = (root / "index.html").read_bytes()
        for job in JOBS:
            if job == JOBS[-1]:
                tree.change(root, number)
            _one(jobs[job], up, site, root, number)
        served, ended = _roll_back(up, site, host, before)
        back.append(served)
        whole.append(ended)
    return [
        *(row for job in JOBS for row in _rows(job, jobs[job])),
        Row("rollback, until the edge serves the earlier bytes", seconds(back)),
        Row("rollback, whole process, every sampled page checked", seconds(whole)),
    ]


def _one(samples: Samples, up: Up, site: str, root: Path, number: int) -> None:
    """In each round who goes first is another one."""

    def ours() -> None:
        started = time.monotonic()
        result = up.deploy(site, root)
        samples.ours.append(time.monotonic() - started)
        samples.own.append(result["seconds"])
        samples.sent.add(result["uploaded"])

    def theirs(tool: str) -> None:
        started = time.monotonic()
        _sync(tool, up, site, root)
        samples.theirs[tool].append(time.monotonic() - started)

    runs: list[Callable[[], None]] = [ours, *(partial(theirs, peer) for peer in PEERS)]
    for run in [*runs[number % len(runs) :], *runs[: number % len(runs)]]:
        run()


def _rows(job: str, samples: Samples) -> Iterator[Row]:
    best = min(samples.theirs.values(), key=median)
    beside = [f"{peer} {median(samples.theirs[peer]):.2f} s" for peer in PEERS]
    sent = " or ".join(map(str, sorted(samples.sent)))
    yield Row(
        f"{job}, whole process",
        seconds(samples.ours),
        ", ".join(beside),
        ratio(samples.ours, best),
        f"{sent} files sent",
    )
    start = median(samples.ours) - median(samples.own)
    yield Row(
        f"{job}, the command's own `seconds`", seconds(samples.own), note=f"start {start:.2f} s"
    )


def _new_bucket(up: Up, name: str) -> None:
    s3 = Clients(Access("us-east-1", endpoint_url=up.run["aws_endpoint"])).s3
    for peer in PEERS:
        s3.create_bucket(Bucket=f"{peer}-{name}")


def _sync(peer: str, up: Up, name: str, root: Path) -> None:
    endpoint: str = up.run["aws_endpoint"]
    subprocess.run(
        uploads.command(peer, root, endpoint, f"{peer}-{name}", up.data_dir, 0.0),
        env=clean_environment(up.data_dir) | uploads.ENVIRONMENT,
        stdout=subprocess.DEVNULL,
        check=True,
        timeout=PATIENCE_SECONDS,
    )


def _roll_back(up: Up, site: str, host: str, earlier: bytes) -> tuple[float, float]:
    """Seconds from the command's start until a page is the earlier one, and until it ends."""
    with up.visitor(host) as visitor:
        if visitor.get("/").content == earlier:
            raise AssertionError("the page to go back from is not there")
        started = time.monotonic()
        command = subprocess.Popen(
            [embedded.BIN / "python", ROOT / "manage.py", "rollback_site", site, "--to", "1"],
            env=clean_environment(up.data_dir),
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
        )
        try:
            while visitor.get("/").content != earlier:
                if time.monotonic() - started > PATIENCE_SECONDS:
                    raise AssertionError("the edge never served the earlier bytes")
                time.sleep(0.01)
            served = time.monotonic() - started
            if command.wait(PATIENCE_SECONDS):
                raise AssertionError(f"rollback_site ended with {command.returncode}")
            return served, time.monotonic() - started
        finally:
            command.kill()
            command.wait()
