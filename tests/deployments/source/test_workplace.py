import os
import tempfile
import time

from deployments.source.workplace import ABANDONED_SECONDS, workplace


def test_it_is_gone_in_the_end():
    with workplace() as folder:
        (folder / "file").touch()
    assert not folder.exists()


def test_what_a_killed_process_left_goes_after_a_day(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with workplace() as recent, workplace() as abandoned:
        (abandoned / "file").touch()
        other = tmp_path / "another-program"
        other.mkdir()
        old = time.time() - ABANDONED_SECONDS - 1
        os.utime(abandoned, (old, old))
        os.utime(other, (old, old))
        with workplace():
            assert recent.exists()
            assert other.exists()
            assert not abandoned.exists()
