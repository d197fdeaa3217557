"""What may be named, and what it is told by."""

import errno
from pathlib import Path
from unittest import mock

import pytest

from deployments.source import zip_archive
from deployments.source.opening import open_source
from tests.deployments.source.test_zip_archive import zipped
from tests.deployments.source.trees import SITE, folder, opened_files, refusal


def test_a_folder_may_be_named_by_a_text(tmp_path):
    assert opened_files(str(folder(tmp_path / "a#b", SITE))) == SITE


def test_an_archive_is_known_by_its_content(tmp_path):
    assert opened_files(zipped(tmp_path / "site.tar.gz", SITE.items())) == SITE


def test_it_is_removed_when_the_deploy_fails(tmp_path):
    path = zipped(tmp_path / "site.zip", SITE.items())
    with pytest.raises(LookupError), open_source(path) as opened:
        raise LookupError
    assert not opened.root.exists()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"Rar!\x1a\x07\x00", "a RAR archive; unpack it with `unrar x`"),
        (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
        (b"\xfd7zXZ\0", "packed with xz"),
        (b"<html>", "it is no archive"),
        (b"", "no bytes in it"),
    ],
)
def test_what_cannot_be_opened_is_told_what_it_is(tmp_path, content, words):
    path = tmp_path / "site.zip"
    path.write_bytes(content)
    assert words in refusal(path)


def test_what_is_not_there_is_named(tmp_path):
    message = refusal(tmp_path / "nothing")
    assert f"{tmp_path / 'nothing'} cannot be deployed: there is nothing of this name" in message


def test_a_full_disk_is_said(tmp_path):
    path = zipped(tmp_path / "site.zip", SITE.items())
    full = OSError(errno.ENOSPC, "No space left on device")
    with mock.patch.object(zip_archive, "extract", side_effect=full, autospec=True):
        assert "there is no room to unpack it" in refusal(path)
    with (
        mock.patch.object(zip_archive, "extract", side_effect=OSError(errno.EIO, "I/O")),
        pytest.raises(OSError, match="I/O"),
        open_source(path),
    ):
        pass


def test_an_archive_that_may_not_be_read_is_named(tmp_path):
    path = zipped(tmp_path / "site.zip", SITE.items())
    denied = PermissionError(errno.EACCES, "Permission denied", str(path))
    with mock.patch.object(Path, "open", side_effect=denied, autospec=True):
        assert f"{path} cannot be read; check its permissions" in refusal(path)
