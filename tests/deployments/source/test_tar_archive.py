"""Tar archives, packed and not, and those made to do harm."""

import bz2
import gzip
import io
import os
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from deployments.source import Limits, SourceRefused, compression, tar_archive
from tests.deployments.source.test_zip_archive import zipped
from tests.deployments.source.trees import NAMES, SITE, opened_files, refusal

PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "tar": bytes,
    "tar.gz": gzip.compress,
    "tar.bz2": bz2.compress,
    "tar.zst": zstandard.compress,
    # As pigz and `cat` make them.
    "two.tar.gz": lambda raw: gzip.compress(raw[:700]) + gzip.compress(raw[700:]),
    "two.tar.zst": lambda raw: zstandard.compress(raw[:700]) + zstandard.compress(raw[700:]),
    "two.tar.bz2": lambda raw: bz2.compress(raw[:700]) + bz2.compress(raw[700:]),
}
FORMATS = {"pax": tarfile.PAX_FORMAT, "gnu": tarfile.GNU_FORMAT}


def entry(name, content=b"", **attributes):
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for attribute, value in attributes.items():
        setattr(info, attribute, value)
    return info, content


def tarred(entries, tar_format=tarfile.PAX_FORMAT):
    """The bytes of a tar of ``[(TarInfo, content)]``."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tar_format) as opened:
        for info, content in entries:
            opened.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def site(prefix=""):
    return [entry(prefix + path, content) for path, content in SITE.items()]


def written(path, raw):
    path.write_bytes(raw)
    return path


@pytest.mark.parametrize("kind", PACKERS)
@pytest.mark.parametrize("prefix", ["", "./", "dist/", "./dist/"])
def test_a_tar_is_unpacked(tmp_path, kind, prefix):
    folders = [entry(prefix or "css", type=tarfile.DIRTYPE)]
    raw = tarred([*folders, *site(prefix), entry(f"{prefix}.DS_Store", b"x")])
    # The name says nothing.
    assert opened_files(written(tmp_path / "site.zip", PACKERS[kind](raw))) == SITE


@pytest.mark.parametrize("tar_format", FORMATS.values(), ids=FORMATS)
def test_names_of_all_kinds_come_through(tmp_path, tar_format):
    files = {**SITE, **dict.fromkeys(NAMES, b"content")}
    raw = tarred([entry(path, content) for path, content in files.items()], tar_format)
    assert opened_files(written(tmp_path / "site.tar", raw)) == files


def test_what_git_writes_for_all_entries_is_passed_over(tmp_path):
    buffer = io.BytesIO()
    header = {"comment": "9" * 40}
    with tarfile.open(fileobj=buffer, mode="w", pax_headers=header) as opened:
        for info, content in site("repository-9999/"):
            opened.addfile(info, io.BytesIO(content))
    assert opened_files(written(tmp_path / "site.tar", buffer.getvalue())) == SITE


HOSTILE = [
    (entry("../evil.html"), "“..”"),
    (entry("a/../../evil.html"), "“..”"),
    (entry("./../evil"), "“..”"),
    (entry("/etc/evil"), "absolute"),
    (entry("C:/evil"), "absolute"),
    (entry("a\\b.html"), "backslash"),
    (entry("new\nline"), "control characters"),
    (entry("a//b"), "empty part"),
    (entry("a\u202eb"), "reorder how it is shown"),
    (entry("x" * 1025), "longer than 900 bytes"),
    (entry("link", type=tarfile.SYMTYPE, linkname="/etc/passwd"), "`tar --dereference`"),
    (entry("hard", type=tarfile.LNKTYPE, linkname="index.html"), "`tar --hard-dereference`"),
    (entry("l" * 150, type=tarfile.LNKTYPE, linkname="k" * 150), "a hard link"),
    (entry("device", type=tarfile.BLKTYPE), "a device"),
    (entry("device", type=tarfile.CHRTYPE), "a device"),
    (entry("pipe", type=tarfile.FIFOTYPE), "a pipe"),
    (entry("holes", type=tarfile.GNUTYPE_SPARSE), "without `--sparse`"),
    (entry("holes", pax_headers={"GNU.sparse.major": "1"}), "without `--sparse`"),
    (entry("volume", type=b"V"), "neither a file nor a folder"),
    (entry("ok", pax_headers={"path": "../../evil"}), "“..”"),
    (entry("ok", pax_headers={"path": "/etc/evil"}), "absolute"),
    (entry(".git/HEAD"), ".git"),
    (entry("index.html"), "are one name"),
    (entry("./index.html"), "are one name"),
    (entry("INDEX.html"), "are one name"),
    (entry("css"), "both a file and a folder"),
    (entry("index.html/a"), "both a file and a folder"),
]


@pytest.mark.parametrize("case", HOSTILE, ids=[repr(case[0][0].name)[:20] for case in HOSTILE])
def test_an_entry_that_is_refused(tmp_path, case):
    hostile, words = case
    for tar_format in FORMATS.values():
        if tar_format == tarfile.PAX_FORMAT or not hostile[0].pax_headers:
            path = written(tmp_path / "site.tar", tarred([*site(), hostile], tar_format))
            assert words in refusal(path)
            assert list(tmp_path.iterdir()) == [path]


def test_a_name_that_is_not_utf8_is_refused(tmp_path):
    raw = tarred([*site(), entry("caf\udce9.html")], tarfile.GNU_FORMAT)
    assert "not UTF-8" in refusal(written(tmp_path / "site.tar", raw))


def test_a_name_for_all_entries_is_refused(tmp_path):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", pax_headers={"path": "index.html"}) as opened:
        opened.addfile(tarfile.TarInfo("index.html"))
    assert "one name or size for all" in refusal(written(tmp_path / "x.tar", buffer.getvalue()))


def header_of(info):
    return bytearray(info.tobuf(tarfile.GNU_FORMAT))


def with_checksum(block):
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def test_sizes_that_lie_are_refused(tmp_path):
    below = header_of(entry("index.html", b"x")[0])
    below[124:136] = b"\xff" * 12
    broken = with_checksum(below) + bytes(1024)
    assert "below zero" in refusal(written(tmp_path / "a.tar", broken))
    long = with_checksum(header_of(entry("index.html", bytes(5000))[0])) + bytes(1024)
    assert "within a file" in refusal(written(tmp_path / "b.tar", long))
    full = with_checksum(header_of(entry("css", bytes(9), type=tarfile.DIRTYPE)[0])) + bytes(1024)
    assert "has content" in refusal(written(tmp_path / "c.tar", full))


@pytest.mark.parametrize(
    "records", [b"99999 path=x\n", b"5 path=x\n", b"x path=x\n", b"7 path\n", b"9 path=xx", b" "]
)
def test_extended_headers_that_cannot_be_read_are_refused(tmp_path, records):
    head = with_checksum(header_of(entry("x", records, type=tarfile.XHDTYPE)[0]))
    raw = head + records.ljust(512, b"\0") + tarred(site())
    assert "extended header that cannot be read" in refusal(written(tmp_path / "site.tar", raw))


def test_an_extended_header_is_not_read_into_memory(tmp_path):
    info = entry("x", type=tarfile.XHDTYPE)[0]
    info.size = 1024**3
    raw = gzip.compress(with_checksum(header_of(info)) + bytes(1024**2))
    assert "extended header of more than 1 MB" in refusal(written(tmp_path / "site.tgz", raw))


@pytest.mark.parametrize("kind", PACKERS)
def test_what_is_cut_off_or_changed_is_refused(tmp_path, kind):
    raw = PACKERS[kind](tarred([*site(), entry("a.bin", os.urandom(5000))], tarfile.GNU_FORMAT))
    for share in (0.3, 0.6, 0.9) if kind != "tar" else (0.1, 0.3, 0.6):
        path = written(tmp_path / "site.tar", raw[: int(len(raw) * share)])
        assert "broken" in refusal(path)


def test_a_second_archive_behind_the_first_is_refused(tmp_path):
    for pack in (bytes, gzip.compress):
        raw = pack(tarred(site())) + pack(tarred([entry("evil.html")]))
        assert "more behind its end" in refusal(written(tmp_path / "site.tar", raw))
    padded = tarred(site()) + bytes(100_000)
    assert opened_files(written(tmp_path / "site.tar", padded)) == SITE


def test_bombs_and_floods_are_refused(tmp_path, monkeypatch):
    zeros = tarred([*site(), *(entry(f"{n}.bin", bytes(2**22)) for n in range(5))])
    bomb = written(tmp_path / "bomb.tgz", gzip.compress(zeros))
    assert "more than 10 MB in all" in refusal(bomb, limits=Limits(total_bytes=10 * 1024**2))
    assert "is larger than 1 MB" in refusal(bomb, limits=Limits(file_bytes=1024**2))
    monkeypatch.setattr(compression, "RATIO_COUNTS_ABOVE", 1024**2)
    assert "over 200 times its size" in refusal(bomb)
    padding = written(tmp_path / "padding.tgz", gzip.compress(tarred(site()) + bytes(2**22)))
    assert "cannot be deployed" in refusal(padding)
    many = tarred(entry(f"{n}.txt") for n in range(50))
    assert "more than 49 files" in refusal(
        written(tmp_path / "many.tar", many), limits=Limits(files=49)
    )


def test_a_window_of_too_much_memory_is_refused(tmp_path):
    parameters = zstandard.ZstdCompressionParameters.from_level(3, window_log=27)
    packer = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    raw = packer.compress(tarred(site())) + packer.flush()
    assert "broken" in refusal(written(tmp_path / "site.tar.zst", raw))


parts = st.text(st.sampled_from("abé~ %#"), min_size=1, max_size=5)
# The suffix keeps a file from being a folder too.
paths = st.lists(parts, min_size=1, max_size=3).map(lambda names: "/".join(names) + ".html")
trees = st.dictionaries(paths, st.binary(max_size=600), max_size=6)


@given(trees, st.sampled_from(sorted(PACKERS)), st.sampled_from(sorted(FORMATS)))
@settings(max_examples=60, deadline=None)
def test_a_tree_is_the_same_as_zip_and_as_tar(files, kind, tar_format):
    files["index.html"] = b"<h1>Hello</h1>"
    raw = tarred([entry(*item) for item in files.items()], FORMATS[tar_format])
    with tempfile.TemporaryDirectory() as place:
        assert opened_files(written(Path(place, "a"), PACKERS[kind](raw))) == files
        assert opened_files(zipped(Path(place, "b"), files.items())) == files


hostile_names = st.one_of(
    st.text(st.sampled_from("ab./\\:~é C"), min_size=1, max_size=12),
    st.sampled_from(["../x", "/x", "a/b", "a", "index.html", "./a", "__MACOSX/../../x"]),
)
kinds = st.sampled_from(
    [tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, b"S"]
)
SMALL = Limits(files=4, file_bytes=900, total_bytes=2000)


@given(
    st.lists(st.tuples(hostile_names, kinds, st.binary(max_size=1000)), max_size=6),
    st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 255)), max_size=3),
)
@settings(max_examples=150, deadline=None)
def test_no_archive_writes_outside_its_folder_or_above_its_limits(entries, changes):
    raw = bytearray(
        tarred(
            (
                entry(name, b"" if kind != tarfile.REGTYPE else content, type=kind, linkname="../x")
                for name, kind, content in entries
            ),
            tarfile.GNU_FORMAT,
        )
    )
    for at, byte in changes:
        raw[at % len(raw)] = byte
    with tempfile.TemporaryDirectory() as above:
        target = Path(above, "one", "two", "target")
        target.mkdir(parents=True)
        file = written(Path(above, "site.tar"), raw)
        try:
            tar_archive.extract(file, target, SMALL)
        except SourceRefused:
            assert not list(target.iterdir())
        outside = {path for path in Path(above).rglob("*") if not path.is_relative_to(target)}
        assert outside == {file, *list(target.parents)[:2]}
        found = list(target.rglob("*"))
        assert not any(path.is_symlink() for path in found)
        sizes = [path.stat().st_size for path in found if path.is_file()]
        assert len(sizes) <= SMALL.files
        assert sum(sizes) <= SMALL.total_bytes
        assert max(sizes, default=0) <= SMALL.file_bytes
