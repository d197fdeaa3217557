"""Upload stage beside the peers: ``python -m tests.bench.uploads``.

A process of its own and a small one: Linux counts the memory of who starts a program into that
program's peak. Everyone takes turns on one sink (``sink.py``), each with a bucket of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import sysconfig
import tempfile
import time
import urllib.request
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from tests.bench import trees

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
# The program itself: the package's script starts Python first.
S5CMD = Path(sysconfig.get_path("purelib")) / "s5cmd" / "bin" / "s5cmd"
CACHE = ROOT / ".local" / "bench"
OURS = "cloudadmin"
TOOLS = (OURS, "aws", "s5cmd", "rclone")
WORK = {"a": "first deploy", "b": "nothing changed", "c": "1 % changed, new, deleted"}
DELAY = 0.02
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "local",
    "AWS_SECRET_ACCESS_KEY": "local",
    "AWS_REGION": "us-east-1",
    "AWS_CONFIG_FILE": os.devnull,
    "RCLONE_CONFIG": os.devnull,
    "PYTHONPATH": str(ROOT),
}


@dataclass(frozen=True)
class Sample:
    """Seconds, seconds of processor, MiB at most, requests."""

    wall: float
    cpu: float
    memory: float
    requests: int


Samples = dict[tuple[str, str], list[Sample]]  # work, tool


@dataclass(frozen=True)
class Sink:
    endpoint: str

    def ask(self, what: str) -> dict[str, int]:
        with urllib.request.urlopen(f"{self.endpoint}/_{what}") as answer:
            told: dict[str, int] = json.load(answer)
        return told


@contextmanager
def sink() -> Iterator[Sink]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.sink"], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        yield Sink(f"http://127.0.0.1:{int(process.stdout.readline())}")
    finally:
        process.kill()
        process.wait()


def command(tool: str, root: Path, endpoint: str, bucket: str, state: Path, delay: float) -> list:
    """rclone as fast as it gets: the options of its own manual for many small files."""
    at_once = "256" if delay else "64"
    return {
        OURS: [sys.executable, "-m", "tests.bench.stage", root, endpoint, bucket, state],
        "aws": [
            *(BIN / "aws", "--endpoint-url", endpoint, "s3", "sync", root, f"s3://{bucket}"),
            *("--delete", "--only-show-errors"),
        ],
        "s5cmd": [
            *(S5CMD, "--endpoint-url", endpoint, "--log", "error"),
            *("sync", "--delete", f"{root}/", f"s3://{bucket}/"),
        ],
        "rclone": [
            *(BIN / "rclone", "sync", root, f":s3:{bucket}", "--checksum", "--fast-list"),
            *("--transfers", at_once, "--checkers", at_once, "--s3-no-head"),
            *("--s3-provider", "Other", "--s3-env-auth", "--s3-endpoint", endpoint),
            *("--s3-no-check-bucket", "--s3-use-unsigned-payload=true"),
        ],
    }[tool]


def run(words: list, where: Sink) -> Sample:
    where.ask("counts")
    started = time.monotonic()
    process = subprocess.Popen(
        words, env=os.environ | ENVIRONMENT, cwd=ROOT, stdout=subprocess.DEVNULL
    )
    _, status, used = os.wait4(process.pid, 0)
    wall = time.monotonic() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{words[0]} ended with {process.returncode}")
    requests = sum(where.ask("counts").values())
    return Sample(wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, requests)


def measure(name: str, tools: Sequence[str], rounds: int, delay: float) -> Samples:
    """In each round who goes first is another one."""
    root = trees.ready(name, CACHE)
    samples: Samples = defaultdict(list)
    with sink() as where, tempfile.TemporaryDirectory() as folder:
        state, aside = Path(folder), CACHE / "aside"
        where.ask(f"delay/{delay}")
        for number in range(rounds):
            order = [*tools[number % len(tools) :], *tools[: number % len(tools)]]

            def turn(work: str, order: list[str] = order, number: int = number) -> None:
                for tool in order:
                    bucket = f"{tool}-{number}"
                    words = command(tool, root, where.endpoint, bucket, state, delay)
                    samples[work, tool].append(run(words, where))
                    _say(f"{name} {work} {tool} {samples[work, tool][-1].wall:.2f} s")

            turn("a")
            turn("b")
            with trees.changed(root, aside):
                turn("c")
            where.ask("reset")
    return samples


def lines(name: str, delay: float, tools: Sequence[str], samples: Samples) -> Iterator[str]:
    """One line for each work; ours : best peer in wall seconds at the end."""
    what = f"{name}, {len(trees.files(trees.ready(name, CACHE))):,} files"
    what += f", {delay * 1000:.0f} ms" if delay else ""
    for work, title in WORK.items():
        peers = [median(s.wall for s in samples[work, tool]) for tool in tools if tool != OURS]
        cells = [_cell(samples[work, tool]) for tool in tools]
        ours = [s.wall for s in samples.get((work, OURS), [])]
        ratio = f"{median(ours) / min(peers):.2f}" if ours and peers else ""
        yield f"| {what} | {title} | " + " | ".join(cells) + f" | {ratio} |"


def _cell(samples: list[Sample]) -> str:
    wall, cpu, memory = (
        median(getattr(s, name) for s in samples) for name in ("wall", "cpu", "memory")
    )
    requests = samples[0].requests
    return f"{wall:.2f} s ({cpu:.2f} s, {memory:.0f} MiB, {requests:,})"


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


def main() -> None:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--tree", action="append", choices=trees.NAMES)
    parser.add_argument("--tool", action="append", choices=TOOLS)
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--delay", action="append", type=float, help="seconds of the server")
    parser.add_argument("--quick", action="store_true", help="one round, no delay")
    parser.add_argument("--all", action="store_true", help="every tree, five rounds, about an hour")
    options = parser.parse_args()
    default = trees.NAMES if options.all else tuple(trees.DEBIAN)
    tools = [tool for tool in TOOLS if not options.tool or tool in options.tool]
    sys.stdout.write(f"| site | work | {' | '.join(tools)} | ours : best peer |\n")
    sys.stdout.write("|---" * (len(tools) + 3) + "|\n")
    for name in options.tree or default:
        large = name in ("rust-doc", trees.SYNTHETIC)
        few = 1 if options.quick or (large and not options.all) else 5 if options.all else 3
        without = [0.0] if options.quick or (large and not options.all) else [0.0, DELAY]
        for delay in options.delay or without:
            samples = measure(name, tools, options.rounds or few, delay)
            sys.stdout.write("\n".join(lines(name, delay, tools, samples)) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
