"""Deployments that are killed anywhere, and taken up again, while visitors come.

``DEPLOYS=whole``: fifty, twenty of them killed. ``make deploys`` runs that.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from random import Random
from typing import Any

from tests.e2e.conftest import Up
from tests.e2e.crawler import Crawler, release_of, write

IS_WHOLE = os.environ.get("DEPLOYS") == "whole"
DEPLOYS, KILLED = (50, 20) if IS_WHOLE else (4, 2)
PAGES = 40
PUT = "s3.PutObject"


def kill_at(up: Up, folder: Path, passed: int) -> list[dict[str, Any]]:
    """SIGKILL to a deployment when so many objects were put; those."""
    up.forget_calls()
    with (
        up.fault(PUT, "delay", seconds=600, after=passed),
        up.running("deploy_site", "deploys", folder) as process,
    ):
        deadline = time.monotonic() + 120
        while True:
            calls = up.calls(PUT)
            answered = [call for call in calls if call["status"] == 200]
            if len(calls) > passed and len(answered) == passed:
                break
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline, (passed, calls)
            time.sleep(0.02)
    return answered


def test_nobody_notices_deployments_that_are_killed(up: Up, host: str, tmp_path: Path):
    random = Random(4)
    first = up.deploy("deploys", write(tmp_path / "0", release_of(0, PAGES)))
    assert first["state"] == "success"
    killed = set(random.sample(range(1, DEPLOYS), KILLED))
    crawler = Crawler(up, host, PAGES)
    with crawler.at_work():
        for number in range(1, DEPLOYS):
            files = release_of(number, PAGES)
            folder = write(tmp_path / str(number), files)
            sent = 0
            if number in killed:
                sent = len(kill_at(up, folder, random.randrange(PAGES)))
            done = up.deploy("deploys", folder)
            assert (done["state"], done["published"]) == ("success", True)
            assert done["uploaded"] == len(files) - 1 - sent, (number, sent)

    assert crawler.problems == []
    assert crawler.asked > 100
    for releases in crawler.seen.values():
        assert releases == sorted(releases)
        assert {releases[0], releases[-1]} <= set(range(DEPLOYS))
