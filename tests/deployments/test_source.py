"""What may be deployed, and what is refused, with which words."""

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

from deployments.source import SourceRefused, archive, open_source, tree
from deployments.source.tree import files_of

SITE = {"index.html": b"<h1>Hello</h1>", "css/site.css": b"body{}"}


def folder(root, files):
    for path, content in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(content)
    return root


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


def refusal(path):
    with pytest.raises(SourceRefused) as caught, open_source(path):
        pass
    return str(caught.value)


def paths_in(root):
    return {path: file.read_bytes() for path, file in files_of(root)}


def test_a_folder_is_published_as_it_is(tmp_path):
    folder(tmp_path, {**SITE, ".DS_Store": b"", "a/._x": b"", ".well-known/security.txt": b"s"})
    with open_source(tmp_path) as root:
        assert root == tmp_path
        assert paths_in(root) == {**SITE, ".well-known/security.txt": b"s"}


@pytest.mark.parametrize("top", ["", "dist/"])
def test_a_zip_is_unpacked_and_removed_again(tmp_path, top):
    junk = [("__MACOSX/._index.html", b""), (f"{top}.DS_Store", b"")]
    entries = [(top + path, content) for path, content in SITE.items()]
    with open_source(zipped(tmp_path / "site.zip", [*entries, *junk])) as root:
        assert paths_in(root) == SITE
    assert not root.exists()


def test_a_zip_is_removed_when_the_deploy_fails(tmp_path):
    path = zipped(tmp_path / "site.zip", SITE.items())
    with pytest.raises(LookupError), open_source(path) as root:
        raise LookupError
    assert not root.exists()


def test_what_is_neither_is_named(tmp_path):
    (tmp_path / "site.rar").write_bytes(b"Rar!")
    assert "There is no" in refusal(tmp_path / "nothing")
    assert "neither a folder nor a zip" in refusal(tmp_path / "site.rar")


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({}, "no files in it"),
        ({"a.html": b""}, "no index.html at its top"),
        ({"package.json": b"{}", "src/a.js": b""}, "run `npm run build` and deploy"),
        ({"hugo.toml": b""}, "run `hugo`"),
        ({"_config.yml": b""}, "jekyll build"),
        ({**SITE, ".git/config": b""}, ".git belongs to the workshop"),
        ({**SITE, "a/.env": b""}, ".env belongs to the workshop"),
        ({**SITE, ".env.production": b""}, ".env.production"),
        ({**SITE, ".aws/credentials": b""}, ".aws"),
        ({**SITE, "keys/id_rsa": b""}, "id_rsa"),
        ({**SITE, "tls.key": b"-----BEGIN EC PRIVATE KEY-----"}, "“tls.key” is a private key"),
        ({**SITE, "x.PEM": b"\n-----BEGIN PRIVATE KEY-----"}, "“x.PEM” is a private key"),
        ({**SITE, "back\\slash.txt": b""}, "backslash"),
        ({**SITE, "new\nline.txt": b""}, "“new\\nline.txt”: a name with control characters"),
        ({**SITE, "/".join(["x" * 200] * 5): b""}, "longer than 900 bytes"),
    ],
)
def test_a_folder_that_is_refused(tmp_path, files, words):
    message = refusal(folder(tmp_path, files))
    assert words in message
    assert str(tmp_path) in message


@pytest.mark.parametrize("path", ["cert.pem", "presentation.key", ".gitignore", ".github/a.yml"])
def test_what_only_looks_like_a_secret_is_published(tmp_path, path):
    folder(tmp_path, {**SITE, path: b"-----BEGIN CERTIFICATE-----"})
    with open_source(tmp_path) as root:
        assert path in paths_in(root)


def test_a_name_that_is_no_text_is_refused(tmp_path):
    folder(tmp_path, SITE)
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.html")).write_bytes(b"")
    assert "control characters" in refusal(tmp_path)


def test_a_link_out_is_followed_to_a_file_that_everybody_may_read(tmp_path):
    root = folder(tmp_path / "site", SITE)
    shared = tmp_path / "jquery.js"
    shared.write_text("// shared")
    shared.chmod(0o644)
    (root / "jquery.js").symlink_to(shared)
    with open_source(root):
        assert paths_in(root)["jquery.js"] == b"// shared"

    shared.chmod(0o640)
    assert "outside the folder" in refusal(root)
    shared.chmod(0o644)
    shared.write_text("-----BEGIN PRIVATE KEY-----")
    assert "private key" in refusal(root)
    shared.rename(tmp_path / "id_rsa")
    (root / "jquery.js").unlink()
    (root / "jquery.js").symlink_to(tmp_path / "id_rsa")
    assert "id_rsa" in refusal(root)


def test_links_inside_are_followed_and_other_links_are_refused(tmp_path):
    root = folder(tmp_path / "site", SITE)
    (root / "home.html").symlink_to("index.html")
    (root / "styles").symlink_to("css")
    with open_source(root):
        assert paths_in(root)["styles/site.css"] == SITE["css/site.css"]
        assert paths_in(root)["home.html"] == SITE["index.html"]
    for name, target, words in [
        ("out", tmp_path, "outside the folder"),
        ("passwd", "/etc/passwd", "outside the folder"),
        ("gone", "nowhere", "not there"),
        ("css/loop", "..", "a folder that it is in"),
        ("css/me", ".", "a folder that it is in"),
        ("self", "self", "round in circles"),
    ]:
        (root / name).symlink_to(target)
        assert words in refusal(root)
        (root / name).unlink()


def test_a_pipe_is_refused(tmp_path):
    os.mkfifo(folder(tmp_path, SITE) / "pipe")
    assert "neither a file nor a folder" in refusal(tmp_path)


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
    with mock.patch.object(archive, "MAX_FILES", 1):
        assert "more than 1 entries" in refusal(site)
    with mock.patch.object(tree, "MAX_FILES", 1):
        assert "more than 1 files" in refusal(site)
    with mock.patch.object(archive, "MAX_FILE_BYTES", 5):
        assert "“index.html” is larger than" in refusal(site)
    with mock.patch.object(archive, "MAX_TOTAL_BYTES", 15):
        assert "unpacks to more than" in refusal(site)


@pytest.mark.parametrize("cut", [0.2, 0.5, 0.9])
def test_a_broken_zip_is_refused(tmp_path, cut):
    path = zipped(tmp_path / "site.zip", [*SITE.items(), ("a.bin", os.urandom(5000))])
    raw = path.read_bytes()
    middle = round(len(raw) * cut * 0.5)
    path.write_bytes(raw[:middle] + raw[middle + 7 :])
    assert "broken" in refusal(path) or "pack it" in refusal(path)


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
            archive.extract(file, target)
        except SourceRefused:
            assert not list(target.iterdir())
        outside = {path for path in Path(above).rglob("*") if not path.is_relative_to(target)}
        assert outside == {file, *list(target.parents)[:2]}
        assert not any(path.is_symlink() for path in target.rglob("*"))


@pytest.mark.parametrize("path", ["data/weather.json", "_cloudadmin/visits.js"])
def test_folders_that_are_not_a_releases_are_refused(tmp_path, path):
    folder(tmp_path, {**SITE, path: b"{}"})
    assert f"“{path}”" in refusal(tmp_path)
