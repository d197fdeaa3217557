"""Manifests: what they hold, how they differ, which headers a name gets."""

import hashlib
import json
import os
import time
import zlib
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from obstore import put

from deployments.files.caching import (
    IMMUTABLE,
    REVALIDATED,
    cache_control,
    is_fingerprinted,
    survives,
)
from deployments.files.content_types import content_type
from deployments.files.stat_cache import StatCache
from deployments.manifest import Entry, Manifest, build, diff, object_key
from deployments.manifest import _alive as manifests_alive
from deployments.rule_files.redirects import Redirect
from deployments.source import SourceRefused
from deployments.source.tree import packed

headers = st.lists(
    st.sampled_from([("x-a", "1"), ("x-b", "ü"), ("content-language", "de")]), unique=True
).map(tuple)
entries = st.builds(
    Entry,
    sha256=st.sampled_from([hashlib.sha256(bytes([n])).hexdigest() for n in range(4)]),
    size=st.integers(0, 10**10),
    content_type=st.sampled_from(["text/html; charset=utf-8", "image/png"]),
    cache_control=st.sampled_from([IMMUTABLE, REVALIDATED]),
    headers=headers,
)
redirects = st.builds(
    Redirect,
    source=st.sampled_from(["/a", "/b/*"]),
    target=st.sampled_from(["/c", "https://example.com/"]),
    status=st.sampled_from([200, 301]),
    force=st.booleans(),
    query=st.dictionaries(st.sampled_from("ab"), st.sampled_from([":a", "1"])),
    conditions=st.dictionaries(
        st.sampled_from(["country", "language"]), st.just(("AT", "DE")) | st.just(("FR",))
    ),
)
manifests = st.builds(
    Manifest,
    st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), entries),
    st.lists(redirects, max_size=3).map(tuple),
)


@given(manifests)
def test_bytes_are_read_back_and_stable(manifest):
    raw = manifest.to_bytes()
    manifests_alive.clear()
    assert Manifest.from_bytes(raw) == manifest
    turned = Manifest(
        dict(reversed(manifest.entries.items())),
        tuple(
            replace(rule, query=dict(reversed(rule.query.items()))) for rule in manifest.redirects
        ),
    )
    assert turned == manifest
    assert turned.to_bytes() == raw


def test_a_manifest_that_somebody_has_is_not_read_again():
    manifest = Manifest({"index.html": Entry("0" * 64, 1, "text/html", "no-cache")})
    assert Manifest.from_bytes(manifest.to_bytes()) is manifest


@given(entries)
def test_headers_have_no_order(entry):
    turned = replace(entry, headers=entry.headers[::-1])
    assert turned == entry
    assert turned.hash == entry.hash


@given(entries, entries)
def test_hashes_are_equal_when_content_and_headers_are(one, other):
    assert (one.hash == other.hash) == (replace(one, size=0) == replace(other, size=0))


def test_manifests_of_the_first_format_are_read():
    files = {"index.html": ["a" * 64, 3, 1], "a.png": ["b" * 64, 4, 0]}
    kinds = [["image/png", REVALIDATED], ["text/html", REVALIDATED]]
    raw = zlib.compress(json.dumps({"v": 1, "h": kinds, "f": files}).encode())
    assert Manifest.from_bytes(raw) == Manifest(
        {
            "index.html": Entry("a" * 64, 3, "text/html", REVALIDATED),
            "a.png": Entry("b" * 64, 4, "image/png", REVALIDATED),
        }
    )


def test_a_manifest_of_a_later_format_is_refused():
    raw = zlib.compress(json.dumps({"v": 3, "f": {}}).encode())
    with pytest.raises(ValueError, match="format 3; this version reads 2"):
        Manifest.from_bytes(raw)


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


def test_without_headers_an_object_keeps_its_name():
    """It was deployed under this one before there were headers."""
    entry = Entry("a" * 64, 1, "text/css", IMMUTABLE)
    assert object_key("a b/ç.css", entry) == "objects/VLM5XqAI4ypYy1xE2kj5Kw/a b/ç.css"


def test_what_an_object_is_stored_with():
    entry = Entry(
        "a" * 64,
        1,
        "text/csv",
        REVALIDATED,
        (("x-robots-tag", 'noindex "all"'), ("content-disposition", "attachment")),
    )
    assert entry.attributes == {
        "Content-Type": "text/csv",
        "Cache-Control": REVALIDATED,
        "Content-Disposition": "attachment",
        "headers": '{"x-robots-tag":"noindex \\"all\\""}',
    }
    assert Entry("a" * 64, 1, "text/csv", REVALIDATED).attributes == {
        "Content-Type": "text/csv",
        "Cache-Control": REVALIDATED,
    }


def test_s3_gives_an_objects_headers_back(clients):
    entry = Entry("a" * 64, 1, "a/b", "no-store", (("x-a", '"'), ("content-language", "de")))
    clients.s3.create_bucket(Bucket="headers")
    put(clients.object_store("headers"), "it", b"x", attributes=entry.attributes)
    stored = clients.s3.head_object(Bucket="headers", Key="it")
    assert stored["Metadata"] == {"headers": '{"x-a":"\\""}'}
    assert stored["ContentLanguage"] == "de"
    assert stored["ContentType"] == "a/b"
    assert stored["CacheControl"] == "no-store"


def write(root, files):
    for path, content in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(content)


def test_rules_beside_the_pages_are_followed_and_not_published(tmp_path):
    write(
        tmp_path,
        {
            "_headers": "/*\n  X-A: 1\n/*.txt\n  Content-Type: text/x\n  Cache-Control: no-store\n",
            "_redirects": "/old /\n/* /index.html 200\n",
            "index.html": "",
            "a.txt": "",
            "docs/_headers": "of another site",
        },
    )
    manifest = build(tmp_path)
    assert manifest.redirects == (Redirect("/old", "/"), Redirect("/*", "/index.html", 200))
    assert {
        path: (entry.content_type, entry.cache_control, entry.headers)
        for path, entry in manifest.entries.items()
    } == {
        "a.txt": ("text/x", "no-store", (("x-a", "1"),)),
        "docs/_headers": ("application/octet-stream", REVALIDATED, (("x-a", "1"),)),
        "index.html": ("text/html; charset=utf-8", REVALIDATED, (("x-a", "1"),)),
    }
    assert manifest.warnings == ()


@pytest.mark.parametrize("name", ["_headers", "_redirects"])
def test_the_guides_examples_are_followed(tmp_path, name):
    guide = (Path(__file__).parents[2] / "docs" / "guide.md").read_text()
    example = guide.partition(f"    # {name}")[2].partition("\n\n")[0]
    write(tmp_path, {name: f"#{example}", "downloads/a/b.csv": "", "app/index.html": ""})
    manifest = build(tmp_path)
    assert len(manifest.redirects) == (8 if name == "_redirects" else 0)
    assert len(manifest.entries["downloads/a/b.csv"].headers) == (2 if name == "_headers" else 0)


def test_rules_that_lead_nowhere_are_warned_of(tmp_path):
    rules = "/a /gone.html 410\n/b /caf%C3%A9 404\n/c /nowhere 200\n/d/* /:splat.html 200\n/e /f\n"
    write(tmp_path, {"_redirects": rules, "café/index.html": "", "netlify.toml": ""})
    warnings = build(tmp_path).warnings
    assert [warning.partition(",")[0] for warning in warnings] == [
        "netlify.toml is not read",
        "_redirects: “/a” shows “/gone.html”",
        "_redirects: “/c” shows “/nowhere”",
    ]


@pytest.mark.parametrize("name", ["_headers", "_redirects"])
def test_rules_that_cannot_be_read_are_refused(tmp_path, name):
    (tmp_path / name).write_bytes(b"/a \xff")
    with pytest.raises(SourceRefused, match=f"{name} is not UTF-8 at byte 3"):
        build(tmp_path)
    (tmp_path / name).write_bytes(b"#" * 1_000_001)
    with pytest.raises(SourceRefused, match=f"{name} is longer than 1,000,000 bytes"):
        build(tmp_path)
    (tmp_path / name).write_bytes(b"wrong")
    with pytest.raises(SourceRefused, match=f"{name}, line 1, “wrong”: "):
        build(tmp_path)


def test_a_file_whose_headers_s3_would_not_keep_stops_all_readers(tmp_path, monkeypatch):
    monkeypatch.setattr("deployments.manifest.READ_WHOLE", 1)
    long = f"/f3*\n  X-A: {'a' * 1990}\n"
    write(tmp_path, {"_headers": long, **{f"f{n}": "more than a byte" for n in range(50)}})
    with pytest.raises(SourceRefused, match="_headers, line 1: "):
        build(tmp_path)


def test_what_the_cache_knows_is_not_read_again(tmp_path):
    root = tmp_path / "site"
    write(root, {"index.html": "a", "b.css": "b"})
    later = time.time_ns() + 60 * 10**9
    first = build(root, cache=StatCache(tmp_path / "cache", now=later))
    cache = StatCache(tmp_path / "cache", now=later)
    seen = packed(os.stat(root / "b.css"))
    assert cache.get(seen, "b.css") == (first.entries["b.css"].sha256, 1)
    cache.put(seen, "b.css", "f" * 64, 7)
    (root / "index.html").write_text("changed")
    second = build(root, cache=cache)
    assert (second.entries["b.css"].sha256, second.entries["b.css"].size) == ("f" * 64, 7)
    assert second.entries["index.html"].sha256 == hashlib.sha256(b"changed").hexdigest()


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
