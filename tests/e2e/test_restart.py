"""Stop, and everything is gone; start, and everything is there again."""

from __future__ import annotations

from typing import Any

import psutil

from tests.e2e.conftest import Up


def test_a_restart_finds_its_data_and_a_stop_leaves_nothing_running(up: Up):
    host, (page, visits) = up.host("demo"), seen(up, "before")
    addresses = up.run["dashboard"], up.run["edge"]
    programs = psutil.Process(up.process.pid).children(recursive=True)
    assert len(programs) >= 7
    assert all_on_loopback(programs)

    assert up.stop() == 0
    assert [program for program in programs if is_alive(program)] == []

    told = up.start_again()
    assert (up.run["dashboard"], up.run["edge"]) == addresses
    assert up.host("demo") == host
    assert seen(up, "after") == (page, visits + 1)
    assert "log in as" not in told, "the password is shown once"


def seen(up: Up, who: str) -> tuple[str, int]:
    """The page, and the number on it, by a visitor who is counted."""
    agent = {"User-Agent": f"Mozilla/5.0 {who} the restart"}
    with up.visitor(up.host("demo")) as visitor:
        counted = visitor.get("/_cloudadmin/count", headers=agent).json()
        assert counted["counted"]
        return visitor.get("/").text, counted["visits"]


def is_alive(process: psutil.Process) -> bool:
    """A zombie is dead already; whoever adopted it has not noticed."""
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


def all_on_loopback(processes: list[psutil.Process]) -> bool:
    addresses = {
        connection.laddr.ip
        for process in processes
        for connection in connections(process)
        if connection.status == psutil.CONN_LISTEN
    }
    return addresses <= {"127.0.0.1", "::1"}


def connections(process: psutil.Process) -> list[Any]:
    """None of one that ended meanwhile, as postgres's own and functions do."""
    try:
        return process.net_connections()
    except psutil.NoSuchProcess:
        return []
