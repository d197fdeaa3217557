"""Small sites, and what becomes of them."""

import pytest

from deployments.source import SourceRefused
from deployments.source.opening import open_source
from deployments.source.tree import files_of

SITE = {"index.html": b"<h1>Hello</h1>", "css/site.css": b"body{}"}
# What people call their files, and every one of them may.
NAMES = [
    "with space.html",
    "100%.html",
    "a%2Fb.html",
    "c++.html",
    "~home/me.html",
    "a#b?c&d=e.html",
    "it's “so” \"quoted\".html",
    "🎉/party.html",
    "مرحبا/صفحة.html",
    "caf\u00e9.html",
    "cafe\u0301-nfd.html",
    "-x.html",
    "a.", "[a-z]*.html",
    "/".join(["x" * 150] * 5 + ["y" * 145]),
    "ü" * 127,
    "data.json",
]  # fmt: skip


def folder(root, files):
    for path, content in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(content)
    return root


def refusal(source, **options):
    with pytest.raises(SourceRefused) as caught, open_source(source, **options):
        pass
    return str(caught.value)


def paths_in(root):
    return {path: (root / path).read_bytes() for path, _ in files_of(root)}


def opened_files(source, **options):
    with open_source(source, **options) as opened:
        return paths_in(opened.root)
