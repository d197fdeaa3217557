"""Manifests: what they hold, how they differ, which headers a name gets."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployments.caching import (
    IMMUTABLE,
    REVALIDATED,
    cache_control,
    is_fingerprinted,
    survives,
)
from deployments.content_types import content_type
from deployments.manifest import Entry, Manifest, build, diff, object_key

entries = st.builds(
    Entry,
    sha256=st.sampled_from([hashlib.sha256(bytes([n])).hexdigest() for n in range(4)]),
    size=st.integers(0, 10**10),
    content_type=st.sampled_from(["text/html; charset=utf-8", "image/png"]),
    cache_control=st.sampled_from([IMMUTABLE, REVALIDATED]),
)
manifests = st.builds(
    Manifest,
    st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), entries),
)


@given(manifests)
def test_bytes_are_read_back_and_stable(manifest):
    raw = manifest.to_bytes()
    assert Manifest.from_bytes(raw) == manifest
    assert Manifest(dict(reversed(manifest.entries.items()))).to_bytes() == raw


def test_nothing_is_an_empty_manifest_and_rubbish_is_refused():
    assert Manifest.from_bytes(b"") == Manifest({})
    with pytest.raises(ValueError, match="no manifest"):
        Manifest.from_bytes(b"rubbish")


@given(manifests, manifests)
def test_a_diff_tells_every_path_once_and_leads_from_one_to_the_other(old, new):
    found = diff(old, new)
    told = [*found.added, *found.changed, *found.deleted, *found.unchanged]
    assert sorted(told) == sorted(old.entries.keys() | new.entries.keys())
    made = {path: entry.hash for path, entry in old.entries.items() if path not in found.deleted}
    made |= {path: new.entries[path].hash for path in found.to_upload()}
    assert made == {path: entry.hash for path, entry in new.entries.items()}


def test_the_hash_covers_content_and_headers():
    one = Entry("a" * 64, 1, "text/css", IMMUTABLE)
    others = [
        Entry("b" * 64, 1, "text/css", IMMUTABLE),
        Entry("a" * 64, 1, "text/html", IMMUTABLE),
        Entry("a" * 64, 1, "text/css", REVALIDATED),
    ]
    assert len({one.hash, *(other.hash for other in others)}) == 4
    assert len(one.hash) == 22
    assert object_key("a b/ç.css", one) == f"objects/{one.hash}/a b/ç.css"


def test_a_folder_becomes_a_manifest(tmp_path):
    files = {"index.html": b"<h1>", "a/b/ü x.css": b"", "big.bin": b"x" * 3_000_000}
    for path, content in files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(content)
    (tmp_path / ".DS_Store").write_bytes(b"junk")
    manifest = build(tmp_path)
    assert manifest.entries.keys() == files.keys()
    for path, content in files.items():
        assert manifest.entries[path].sha256 == hashlib.sha256(content).hexdigest()
        assert manifest.entries[path].size == len(content)
    assert len(manifest.object_keys()) == len(files)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("index.html", "text/html; charset=utf-8"),
        ("a/INDEX.HTML", "text/html; charset=utf-8"),
        ("a.css", "text/css; charset=utf-8"),
        ("a.mjs", "text/javascript; charset=utf-8"),
        ("a.js", "text/javascript; charset=utf-8"),
        ("a.js.map", "application/json; charset=utf-8"),
        ("a.wasm", "application/wasm"),
        ("a.svg", "image/svg+xml"),
        ("a.avif", "image/avif"),
        ("a.woff2", "font/woff2"),
        ("favicon.ico", "image/vnd.microsoft.icon"),
        ("site.webmanifest", "application/manifest+json; charset=utf-8"),
        ("feed.rss", "application/rss+xml"),
        ("sitemap.xml", "application/xml"),
        ("robots.txt", "text/plain; charset=utf-8"),
        (".well-known/apple-app-site-association", "application/json; charset=utf-8"),
        (".well-known/acme-challenge/x1", "text/plain; charset=utf-8"),
        ("CNAME", "application/octet-stream"),
        ("a.unheard-of", "application/octet-stream"),
        ("a.doc", "application/msword"),
    ],
)
def test_content_types(path, expected):
    assert content_type(path) == expected


FINGERPRINTED = [
    "assets/index-BdZ1x9Qa.js",
    "assets/style-D1wrgT4x.css",
    "static/js/main.3f2a9c1b.chunk.js",
    "static/media/logo.6ce24c58023cc2f8fd88.svg",
    "chunk-4XQ2KBCD.js",
    "_astro/page.css",
    "_next/static/chunks/main-app.js",
    "_app/immutable/nodes/0.js",
    "3f2a9c1b4d5e6f708192.png",
]
PLAIN = [
    "index.html",
    "index-BdZ1x9Qa.html",
    "_astro/index.html",
    "app.js",
    "jquery-3.7.1.min.js",
    "report-20240101.pdf",
    "photo-IMG1234A.jpg",
    "DSC01234.jpg",
    "photo-Paris2024.jpg",
    "app-settings.js",
    "app-Version2.js",
    "facade-decade.css",
    "cafebabe1.js",
    "sw.js",
    "files/550e8400-e29b-41d4-a716-44665544000a.jpg",
]


@pytest.mark.parametrize("path", FINGERPRINTED)
def test_a_name_with_a_hash_never_changes(path):
    assert is_fingerprinted(path)
    assert cache_control(path) == IMMUTABLE
    assert survives(path)


@pytest.mark.parametrize("path", PLAIN)
def test_a_name_without_a_hash_is_asked_about(path):
    assert not is_fingerprinted(path)
    assert cache_control(path) == REVALIDATED


@pytest.mark.parametrize(
    ("path", "stays"),
    [
        ("app.js", True),
        ("font.woff2", True),
        ("app.js.map", True),
        ("index.html", False),
        ("terms.pdf", False),
        ("photo.jpg", False),
        ("logo-3f2a9c1b.png", True),
    ],
)
def test_what_only_pages_load_survives_for_open_tabs(path, stays):
    assert survives(path) is stays
