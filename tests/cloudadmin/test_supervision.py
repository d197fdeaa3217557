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
