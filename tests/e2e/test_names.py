"""Names that people give to files: at their address byte by byte, or refused by name."""

from __future__ import annotations

import io
import tarfile
import unicodedata
import zipfile
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.e2e.conftest import Up
from tests.e2e.crawler import write

LONGEST = "/".join(["x" * 148] * 6) + "yyy.txt"  # 900 bytes
NAMES = [
    "two words.txt",
    "100%.txt",
    "a%2Fb.txt",
    "one+one.txt",
    "~home.txt",
    "no #1.txt",
    "who?.txt",
    "you & me.txt",
    "it's.txt",
    'so "called".txt',
    "\N{ROCKET} lift-off.txt",
    "مرحبا.txt",
    unicodedata.normalize("NFC", "déjà vu.txt"),
    unicodedata.normalize("NFD", "crème brûlée.txt"),
    "brackets [1] (2) {3}.txt",
    "semi;colon,comma=equals@at!$.txt",
    "under/some folder/ü & ö/file.txt",
    LONGEST,
]
FILES = {name: f"I am {name}".encode() for name in NAMES} | {"index.html": b"<p>names"}
# Each with what its refusal names.
REFUSED = {
    "back\\slash.txt": "slash.txt",
    "line\nbreak.txt": "break.txt",
    "/".join(["y" * 200] * 6): "yyyy",
    "right\u202eleft.txt": "left.txt",
}


def folder_of(files: dict[str, bytes], place: Path) -> Path:
    return write(place / "folder", files)


def zip_of(files: dict[str, bytes], place: Path) -> Path:
    with zipfile.ZipFile(place / "site.zip", "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return place / "site.zip"


def tar_of(files: dict[str, bytes], place: Path) -> Path:
    with tarfile.open(place / "site.tar", "w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return place / "site.tar"


KINDS: list[Callable[[dict[str, bytes], Path], Path]] = [folder_of, zip_of, tar_of]


@pytest.mark.parametrize("packed", KINDS)
def test_every_file_is_at_the_address_of_its_name(up: Up, host: str, tmp_path: Path, packed):
    marked = {name: content + packed.__name__.encode() for name, content in FILES.items()}
    assert up.deploy("deploys", packed(marked, tmp_path))["state"] == "success"

    with up.visitor(host) as visitor:
        for name, content in marked.items():
            answer = visitor.get("/" + quote(name))
            assert (answer.status_code, answer.content) == (200, content), name


def test_what_cannot_be_is_refused_by_name_before_anything_is_sent(
    up: Up, host: str, tmp_path: Path
):
    for number, (name, named) in enumerate(REFUSED.items()):
        place = tmp_path / str(number)
        place.mkdir()
        up.forget_calls()
        done = up.manage("deploy_site", "deploys", tar_of({**FILES, name: b""}, place), expect=1)
        assert named in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1
        assert up.calls("s3.PutObject") == []
