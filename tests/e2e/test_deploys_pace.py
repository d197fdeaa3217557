"""How fast deployments are, to the visitor: from the last byte sent, and back again.

``DEPLOYS=whole``: 20,000 files too, and five that change among 100,000. ``make deploys`` runs that.
"""

from __future__ import annotations

import json
import os
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from localcloud.edge.pop import NAMES
from tests.e2e.conftest import Up
from tests.e2e.crawler import write

IS_WHOLE = os.environ.get("DEPLOYS") == "whole"
MANY = 100_000 if IS_WHOLE else 300
SIZES = [10, *([1_000, 20_000] if IS_WHOLE else [])]
PUBLISH_SECONDS, ROLL_BACK_SECONDS = 10, 5
MEMORY = 256 * 1024 * 1024


def site_of(folder: Path, files: int, word: str) -> Path:
    pages = {f"{n % 100}/{n}.html": f"{word} {n}".encode() for n in range(files - 1)}
    return write(folder, {"index.html": word.encode(), **pages})


def wait_until_served(up: Up, host: str, word: str) -> float:
    """When every point of presence says so, in seconds since the epoch."""
    deadline = time.monotonic() + 120
    with up.visitor(host) as visitor:
        for pop in NAMES:
            while visitor.get("/", headers={"X-Localcloud-Pop": pop}).text != word:
                assert time.monotonic() < deadline, f"{pop} does not serve “{word}”"
                time.sleep(0.02)
    return time.time()


@pytest.mark.parametrize("files", SIZES)
def test_a_visitor_has_it_seconds_after_the_last_byte(
    up: Up, host: str, tmp_path: Path, files: int, request: pytest.FixtureRequest
):
    before, after = f"before {files}", f"after {files}"
    assert up.deploy("deploys", site_of(tmp_path, files, before))["state"] == "success"
    site_of(tmp_path, files, after)
    up.forget_calls()
    with up.running("deploy_site", "deploys", tmp_path, "--json") as deploying:
        served = wait_until_served(up, host, after)
        assert deploying.wait(120) == 0
    sent = max(put["at"] + put["seconds"] for put in up.puts("deploys"))
    began = time.time()
    with up.running("rollback_site", "deploys") as rolling_back:
        rolled_back = wait_until_served(up, host, before) - began
        assert rolling_back.wait(60) == 0

    request.config.get_terminal_writer().line(
        f"\n{files} files: served {served - sent:.1f} s after the last byte, "
        f"rolled back in {rolled_back:.1f} s"
    )
    if IS_WHOLE:  # a machine that does something else meanwhile has no say in it
        assert served - sent < PUBLISH_SECONDS
        assert rolled_back < ROLL_BACK_SECONDS


@pytest.mark.timeout(1800 if IS_WHOLE else 600)
def test_five_changes_among_many_files_cost_five(
    up: Up, host: str, tmp_path: Path, request: pytest.FixtureRequest
):
    site_of(tmp_path, MANY, "many")
    first, first_memory = deploy_measured(up, tmp_path)
    # Another one first: it may delete what the index had before it grew for this many.
    up.deploy("deploys", write(tmp_path, {"index.html": b"more"}))
    write(tmp_path, {f"{n}/{n}.html": b"changed" for n in range(5)})
    up.forget_calls()
    second, memory = deploy_measured(up, tmp_path)

    assert first["uploaded"] == MANY
    assert (second["uploaded"], second["unchanged"]) == (5, MANY - 5)
    assert len(up.puts("deploys")) == 5
    assert up.calls("s3.ListObject*") == []
    assert len(up.calls("cloudfront-keyvaluestore.*")) <= 3
    request.config.get_terminal_writer().line(
        f"\n{MANY} files: {first['seconds']} s, {first_memory >> 20} MiB at most; "
        f"five changed: {second['seconds']} s, {memory >> 20} MiB at most"
    )
    assert max(first_memory, memory) < MEMORY


def deploy_measured(up: Up, folder: Path) -> tuple[dict[str, object], int]:
    """What the command printed, and the most memory that its process ever had, in bytes."""
    most = 0
    with up.running("deploy_site", "deploys", folder, "--json") as process:
        measured = psutil.Process(process.pid)
        while process.poll() is None:
            with suppress(psutil.NoSuchProcess):
                most = max(most, measured.memory_info().rss)
            time.sleep(0.02)
        out, err = process.communicate()
    assert process.returncode == 0, err
    result: dict[str, object] = json.loads(out)
    return result, most
