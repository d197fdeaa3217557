"""Two deployments of one site at once: the newest is what visitors get, whoever ends last."""

from __future__ import annotations

import json
from pathlib import Path

from tests.e2e.conftest import Up, eventually
from tests.e2e.crawler import write


def test_the_newest_wins_and_the_other_says_why(up: Up, host: str, tmp_path: Path):
    slow = write(tmp_path / "older", {"index.html": b"older", "older.txt": b"older"})
    fast = write(tmp_path / "newer", {"index.html": b"newer"})
    up.forget_calls()
    # Both objects of the older one, and none of the newer one.
    with up.running("deploy_site", "deploys", slow, "--json") as older:
        with up.fault("s3.PutObject", "delay", seconds=180, times=2):
            eventually(lambda: len(up.puts("deploys")) == 2)
            newer = up.deploy("deploys", fast)
            assert older.poll() is None, "the older one is on its way still"
        told, _ = older.communicate(timeout=120)

    result = json.loads(told)
    assert older.returncode == 0
    assert newer["number"] == result["number"] + 1
    assert (newer["state"], newer["published"]) == ("success", True)
    assert (result["state"], result["published"]) == ("inactive", False)
    assert f"Overtaken by #{newer['number']}" in result["reason"]
    with up.visitor(host) as visitor:
        assert visitor.get("/").text == "newer"
        assert visitor.get("/older.txt").status_code == 404
