"""Folders: which files are published, and what is refused, with which words."""

import os
from pathlib import Path

import pytest

from deployments.source import Limits
from deployments.source.opening import open_source
from deployments.source.tree import read
from tests.deployments.source.trees import NAMES, SITE, folder, opened_files, paths_in, refusal


def test_a_folder_is_published_as_it_is(tmp_path):
    folder(tmp_path, {**SITE, ".DS_Store": b"", "a/._x": b"", ".well-known/security.txt": b"s"})
    with open_source(tmp_path) as opened:
        assert opened.root == tmp_path
        assert paths_in(opened.root) == {**SITE, ".well-known/security.txt": b"s"}


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
        (
            {**SITE, "tls.key": b"-----BEGIN EC PRIVATE KEY-----"},
            "“tls.key” would be public: it is a private key",
        ),
        (
            {**SITE, "x.PEM": b"\n-----BEGIN PRIVATE KEY-----"},
            "“x.PEM” would be public: it is a private key",
        ),
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
    with open_source(tmp_path) as opened:
        assert path in paths_in(opened.root)


def test_a_name_that_is_no_text_is_refused(tmp_path):
    folder(tmp_path, SITE)
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.html")).write_bytes(b"")
    assert "“caf\\udce9.html”: a name that is not UTF-8" in refusal(tmp_path)


def test_names_of_all_kinds_are_published(tmp_path):
    files = {**SITE, **dict.fromkeys(NAMES, b"content")}
    assert opened_files(folder(tmp_path, files)) == files


def test_too_many_files_are_refused(tmp_path):
    assert "more than 1 files" in refusal(folder(tmp_path, SITE), limits=Limits(files=1))


def test_a_site_may_go_without_a_start_page_by_permission(tmp_path):
    folder(tmp_path, {"a.html": b"a"})
    with open_source(tmp_path, allow=["index.html"]) as opened:
        assert opened.allowed == ("index.html",)
    folder(tmp_path, {"index.html": b" \n"})
    assert "the start page, index.html, is empty" in refusal(tmp_path)


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


@pytest.mark.parametrize("path", ["data/weather.json", "_cloudadmin/visits.js"])
def test_folders_that_are_not_a_releases_are_refused(tmp_path, path):
    folder(tmp_path, {**SITE, path: b"{}"})
    assert f"“{path}”" in refusal(tmp_path)


@pytest.mark.parametrize("at_once", [1, 4, 100])
@pytest.mark.parametrize("size", [0, 5, 9, 10, 11])
def test_a_file_is_read_to_its_size_at_least(tmp_path, monkeypatch, at_once, size):
    content = b"0123456789"
    (tmp_path / "a").write_bytes(content)
    whole = os.read
    monkeypatch.setattr(os, "read", lambda file, most: whole(file, min(most, at_once)))
    found = read(str(tmp_path / "a"), size)
    assert found in {content[:size], content[: size + 1]}
    assert len(found) == min(len(content), size + 1) or at_once < len(content)
