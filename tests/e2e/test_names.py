"""Names that people give to files: at their address byte by byte, or refused by name."""

from __future__ import annotations

import io
import tarfile
import unicodedata
from pathlib import Path
from urllib.parse import quote

from tests.e2e.conftest import Up

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


def tar_of(files: dict[str, bytes], place: Path) -> Path:
    with tarfile.open(place / "site.tar", "w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return place / "site.tar"


def test_every_file_is_at_the_address_of_its_name(up: Up, host: str, tmp_path: Path):
    assert up.deploy("deploys", tar_of(FILES, tmp_path))["state"] == "success"

    with up.visitor(host) as visitor:
        for name, content in FILES.items():
            answer = visitor.get("/" + quote(name))
            assert (answer.status_code, answer.content) == (200, content), name


def test_what_cannot_be_is_refused_by_name_before_anything_is_sent(
    up: Up, host: str, tmp_path: Path
):
    wrong = {**FILES, "new.txt": b"new", "right\u202eleft.txt": b""}
    up.forget_calls()
    done = up.manage("deploy_site", "deploys", tar_of(wrong, tmp_path), expect=1)

    assert "left.txt" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert up.puts("deploys") == []
