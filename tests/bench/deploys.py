"""Deploys beside ``aws s3 sync``, on one endpoint, taking turns; and the way back."""

from __future__ import annotations

import os
import subprocess
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from cloudadmin import embedded
from cloudadmin.aws import Access, Clients
from tests.bench import tree
from tests.bench.table import Row, ratio, seconds
from tests.e2e.conftest import ROOT, Up, clean_environment

AWS = embedded.BIN / "aws"
ROUNDS = 3
JOBS = ("first deploy", "nothing changed", "1 % changed")
PATIENCE_SECONDS = 60.0


@dataclass
class Samples:
    """Wall seconds of whole processes, of our command's own clock, and files that were sent."""

    ours: list[float] = field(default_factory=list)
    own: list[float] = field(default_factory=list)
    theirs: list[float] = field(default_factory=list)
    sent: set[tuple[int, int]] = field(default_factory=set)


def measure(up: Up, folder: Path) -> list[Row]:
    """Every round has a site, a bucket and a tree of its own; who goes first alternates."""
    jobs: defaultdict[str, Samples] = defaultdict(Samples)
    back: list[float] = []
    whole: list[float] = []
    for number in range(ROUNDS):
        site, root = f"bench-{number}", folder / f"tree-{number}"
        host = up.live_site(site, "--no-counter")
        tree.generate(root, number)
        sync = _new_bucket(up, site)
        before = (root / "index.html").read_bytes()
        for job in JOBS:
            if job == JOBS[-1]:
                tree.change(root, number)
            _one(jobs[job], up, site, root, sync, ours_first=number % 2 == 0)
        served, ended = _roll_back(up, site, host, before)
        back.append(served)
        whole.append(ended)
    return [
        *(row for job in JOBS for row in _rows(job, jobs[job])),
        Row("rollback, until the edge serves the earlier bytes", seconds(back)),
        Row("rollback, whole process, every sampled page checked", seconds(whole)),
    ]


def _one(
    samples: Samples,
    up: Up,
    site: str,
    root: Path,
    sync: Callable[[Path], int] | None,
    *,
    ours_first: bool,
) -> None:
    sent = [0, 0]

    def ours() -> None:
        started = time.monotonic()
        result = up.deploy(site, root)
        samples.ours.append(time.monotonic() - started)
        samples.own.append(result["seconds"])
        sent[0] = result["uploaded"]

    def theirs() -> None:
        if sync is not None:
            started = time.monotonic()
            sent[1] = sync(root)
            samples.theirs.append(time.monotonic() - started)

    for run in (ours, theirs) if ours_first else (theirs, ours):
        run()
    samples.sent.add((sent[0], sent[1]))


def _rows(job: str, samples: Samples) -> Iterator[Row]:
    beside = f"aws s3 sync {seconds(samples.theirs)}" if samples.theirs else "aws: not installed"
    sent = " or ".join(f"{ours} : {theirs}" for ours, theirs in sorted(samples.sent))
    yield Row(
        f"{job}, whole process",
        seconds(samples.ours),
        beside,
        ratio(samples.ours, samples.theirs),
        f"{sent} files sent",
    )
    start = median(samples.ours) - median(samples.own)
    yield Row(
        f"{job}, the command's own `seconds`", seconds(samples.own), note=f"start {start:.2f} s"
    )


def _new_bucket(up: Up, name: str) -> Callable[[Path], int] | None:
    """``aws s3 sync`` into a new bucket, answering how many files it sent; None without aws."""
    if not AWS.exists():
        return None
    endpoint: str = up.run["aws_endpoint"]
    Clients(Access("us-east-1", endpoint_url=endpoint)).s3.create_bucket(Bucket=f"sync-{name}")
    environment = {
        **clean_environment(up.data_dir),
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_REGION": "us-east-1",
        "AWS_CONFIG_FILE": os.devnull,
    }

    def sync(root: Path) -> int:
        target = f"s3://sync-{name}"
        done = subprocess.run(
            [
                AWS,
                "s3",
                "sync",
                root,
                target,
                "--delete",
                "--no-progress",
                "--endpoint-url",
                endpoint,
            ],
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            timeout=PATIENCE_SECONDS,
        )
        return done.stdout.count("upload: ")

    return sync


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
