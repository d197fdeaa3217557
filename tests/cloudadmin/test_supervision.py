"""Our supervisord, run for real."""

from __future__ import annotations

import sys

import pytest

from cloudadmin.embedded import Program
from cloudadmin.supervision import Supervisor


@pytest.mark.parametrize("name", ["plain", "100% of it's here"])
def test_a_program_runs_whatever_its_folder_is_called(tmp_path, name):
    program = Program("sleeper", [sys.executable, "-c", "import time; time.sleep(60)", name])
    supervisor = Supervisor(tmp_path / name, [program], {"FOLDER": name}, tmp_path)
    supervisor.start()
    try:
        supervisor.start_program("sleeper")
        assert supervisor.not_running() == []
        assert supervisor.log_of("sleeper").exists()
    finally:
        supervisor.stop()
    assert not supervisor.is_running()


def test_a_program_that_ends_at_once_is_told_and_one_not_yet_started_is_not(tmp_path):
    ends = Program("ends", [sys.executable, "-c", ""])
    later = Program("later", [sys.executable, "-c", ""])
    supervisor = Supervisor(tmp_path, [ends, later], {}, tmp_path)
    supervisor.start()
    try:
        supervisor.start_program("ends")
        assert supervisor.not_running() == ["ends"]
    finally:
        supervisor.stop()
