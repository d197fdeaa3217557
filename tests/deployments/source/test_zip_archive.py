"""Zip archives, and those made to do harm."""

import io
import os
import stat
import struct
import tempfile
import warnings
import zipfile
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deployments.source import LIMITS, Limits, SourceRefused, zip_archive
from deployments.source.opening import open_source
from tests.deployments.source.trees import NAMES, SITE, opened_files, paths_in, refusal


def zipped(target, files):
    """A zip of ``[(name or ZipInfo, content)]``, named exactly so."""
    with warnings.catch_warnings(), zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as opened:
        warnings.simplefilter("ignore")
        for name, content in files:
            opened.writestr(name, content)
    return target


def raw_entry(name, mode=0, **attributes):
    entry = zipfile.ZipInfo("placeholder")
    entry.filename = name
    entry.external_attr = mode << 16
    for attribute, value in attributes.items():
        setattr(entry, attribute, value)
    return entry


@pytest.mark.parametrize("top", ["", "dist/"])
def test_a_zip_is_unpacked_and_removed_again(tmp_path, top):
    junk = [("__MACOSX/._index.html", b""), (f"{top}.DS_Store", b"")]
    entries = [(top + path, content) for path, content in SITE.items()]
    with open_source(zipped(tmp_path / "site.zip", [*entries, *junk])) as opened:
        assert paths_in(opened.root) == SITE
    assert not opened.root.exists()


def test_a_zip_is_removed_when_the_deploy_fails(tmp_path):
    path = zipped(tmp_path / "site.zip", SITE.items())
    with pytest.raises(LookupError), open_source(path) as opened:
        raise LookupError
    assert not opened.root.exists()


ENTRIES = [
    (raw_entry("../evil.html"), "“..”"),
    (raw_entry("a/../../evil.html"), "“..”"),
    (raw_entry("/etc/evil"), "absolute"),
    (raw_entry("C:/evil"), "absolute"),
    (raw_entry("a\\b.html"), "backslash"),
    (raw_entry("n\0ul.txt"), "control characters"),
    (raw_entry("a//b"), "empty part"),
    (raw_entry("./a"), "“..”, “.”"),
    (raw_entry("link", stat.S_IFLNK | 0o777), "link or a special file"),
    (raw_entry("index.html\u202egpj.exe"), "reorder how it is shown"),
    (raw_entry("x" * 1025), "longer than 900 bytes"),
    (raw_entry("device", stat.S_IFBLK | 0o600), "link or a special file"),
    (raw_entry(".git/HEAD"), ".git"),
    (raw_entry("__MACOSX/../../evil"), "“..”"),
    (raw_entry("index.html"), "are one name"),
    (raw_entry("INDEX.html"), "are one name"),
    (raw_entry("css"), "both a file and a folder"),
    (raw_entry("index.html/a"), "both a file and a folder"),
]


@pytest.mark.parametrize(("entry", "words"), ENTRIES, ids=[repr(e.filename) for e, _ in ENTRIES])
def test_an_entry_that_is_refused(tmp_path, entry, words):
    path = zipped(tmp_path / "site.zip", [*SITE.items(), (entry, b"x")])
    before = set(tmp_path.rglob("*"))
    assert words in refusal(path)
    assert set(tmp_path.rglob("*")) == before


def test_names_that_differ_in_the_encoding_of_an_accent_are_refused(tmp_path):
    files = [*SITE.items(), ("caf\u00e9.html", b""), ("cafe\u0301.html", b"")]
    assert "are one name" in refusal(zipped(tmp_path / "site.zip", files))


def test_an_encrypted_entry_is_refused(tmp_path):
    path = zipped(tmp_path / "site.zip", SITE.items())
    raw = bytearray(path.read_bytes())
    raw[raw.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(raw)
    assert "is encrypted" in refusal(path)


def test_entries_that_share_bytes_are_refused(tmp_path):
    path = zipped(tmp_path / "site.zip", SITE.items())
    raw = bytearray(path.read_bytes())
    second = raw.index(b"PK\x01\x02", raw.index(b"PK\x01\x02") + 1)
    struct.pack_into("<I", raw, second + 42, 0)
    path.write_bytes(raw)
    assert "shares bytes" in refusal(path)


def test_bombs_and_floods_are_refused(tmp_path):
    bomb = zipped(tmp_path / "bomb.zip", [*SITE.items(), ("zeros.bin", bytes(11 * 1024**2))])
    assert "over 200 times its size" in refusal(bomb)
    site = zipped(tmp_path / "site.zip", SITE.items())
    assert "more than 1 files" in refusal(site, limits=Limits(files=1))
    assert "“index.html” is larger than 5 bytes" in refusal(site, limits=Limits(file_bytes=5))
    assert "more than 15 bytes in all" in refusal(site, limits=Limits(total_bytes=15))


@pytest.mark.parametrize("cut", [0.2, 0.5, 0.9])
def test_a_broken_zip_is_refused(tmp_path, cut):
    path = zipped(tmp_path / "site.zip", [*SITE.items(), ("a.bin", os.urandom(5000))])
    raw = path.read_bytes()
    middle = round(len(raw) * cut * 0.5)
    path.write_bytes(raw[:middle] + raw[middle + 7 :])
    assert "broken" in refusal(path) or "pack it" in refusal(path)


def test_a_flood_of_entries_is_counted_before_it_is_read(tmp_path):
    path = zipped(tmp_path / "site.zip", [(f"{n}.txt", b"") for n in range(500)])
    with mock.patch.object(zipfile, "ZipFile", side_effect=AssertionError):
        assert "more than 100 files" in refusal(path, limits=Limits(files=100))


def test_a_zip_of_the_large_kind_is_read(tmp_path):
    path = tmp_path / "site.zip"
    with zipfile.ZipFile(path, "w") as opened, mock.patch.object(zipfile, "ZIP_FILECOUNT_LIMIT", 1):
        for name, content in SITE.items():
            with opened.open(name, "w", force_zip64=True) as target:
                target.write(content)
        opened.close()
    assert b"PK\6\6" in path.read_bytes()
    assert opened_files(path) == SITE
    assert "more than 1 files" in refusal(path, limits=Limits(files=1))


def test_a_rare_way_of_packing_is_refused(tmp_path):
    path = tmp_path / "site.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as opened:
        opened.writestr("index.html", b"x")
    assert "packed in a rare way (method 14)" in refusal(path)


def test_names_of_all_kinds_come_through(tmp_path):
    files = {**SITE, **dict.fromkeys(NAMES, b"content")}
    assert opened_files(zipped(tmp_path / "site.zip", files.items())) == files


names = st.one_of(
    st.text(st.sampled_from("ab./\\:~\0é C"), min_size=1, max_size=12),
    st.sampled_from(["../x", "/x", "a/b", "a", "index.html", "C:\\x", "__MACOSX/../../x"]),
)
modes = st.sampled_from([0, stat.S_IFREG | 0o644, stat.S_IFLNK | 0o777, stat.S_IFDIR | 0o755])


@given(st.lists(st.tuples(names, modes, st.binary(max_size=20)), max_size=6))
@settings(max_examples=150, deadline=None)
def test_no_archive_writes_outside_its_folder(entries):
    buffer = io.BytesIO()
    zipped(buffer, [(raw_entry(name, mode), content) for name, mode, content in entries])
    with tempfile.TemporaryDirectory() as above:
        target = Path(above, "one", "two", "target")
        target.mkdir(parents=True)
        file = Path(above, "site.zip")
        file.write_bytes(buffer.getvalue())
        try:
            zip_archive.extract(file, target, LIMITS)
        except SourceRefused:
            assert not list(target.iterdir())
        outside = {path for path in Path(above).rglob("*") if not path.is_relative_to(target)}
        assert outside == {file, *list(target.parents)[:2]}
        assert not any(path.is_symlink() for path in target.rglob("*"))
