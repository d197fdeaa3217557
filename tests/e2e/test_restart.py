"""Stop, and everything is gone; start, and everything is there again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.e2e.conftest import passable_folder, start


@pytest.fixture
def folder() -> Iterator[Path]:
    with passable_folder() as folder:
        yield folder


def test_a_restart_finds_its_data_and_a_stop_leaves_nothing_running(folder: Path):
    site = folder / "site"
    site.mkdir()
    (site / "index.html").write_text("I was here before.")

    first = start(folder / "data", "--no-demo")
    host = first.live_site("kept")
    first.deploy("kept", site)
    children = psutil.Process(first.process.pid).children(recursive=True)
    assert len(children) >= 7
    assert all_on_loopback(children)
    assert first.stop() == 0
    assert [child for child in children if is_alive(child)] == []

    second = start(folder / "data", "--no-demo")
    try:
        with second.visitor(host) as visitor:
            assert visitor.get("/").text == "I was here before."
            assert visitor.get("/_cloudadmin/count").json()["visits"] == 1
        assert "log in as" not in second.output.read_text(), "the password is shown once"
    finally:
        assert second.stop() == 0


def is_alive(process: psutil.Process) -> bool:
    """A zombie is dead already; whoever adopted it has not noticed."""
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


def all_on_loopback(processes: list[psutil.Process]) -> bool:
    addresses = {
        connection.laddr.ip
        for process in processes
        for connection in process.net_connections()
        if connection.status == psutil.CONN_LISTEN
    }
    return addresses <= {"127.0.0.1", "::1"}
