"""What is said about a site before it is public."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from deployments.source import proofreading
from deployments.source.opening import open_source
from deployments.source.proofreading import is_double_encoded
from tests.deployments.source.trees import SITE, folder


def warnings(root, files):
    with open_source(folder(root, {**SITE, **files})) as opened:
        return opened.warnings


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"index.html": b"<meta name='robots' content='noindex, nofollow'>"}, "search engines"),
        ({"index.html": b'<META content="NOINDEX" name=robots>'}, "search engines"),
        (
            {"a.md": b"---\ntitle: A\ndraft: true\n---\n"},
            "Marked as a draft, and public now: “a.md”",
        ),
        ({"a.html": b"+++\ndraft = true\n+++\n"}, "Marked as a draft"),
        ({"a.html": b'<a href="http://localhost:4000/b">'}, "(localhost) are in “a.html”"),
        ({"a.html": b"<img src=https://127.0.0.1/b>"}, "(localhost) are in “a.html”"),
        ({"a.html": "<p>GrÃ¼ÃŸe".encode()}, "encoded twice (“Ã¤” in place of “ä”) are in “a.html”"),
        ({"a.html": "grün".encode("latin-1")}, "Served as UTF-8, but not written so"),
    ],
)
def test_what_is_said(tmp_path, files, words):
    (sentence,) = warnings(tmp_path, files)
    assert words in sentence


@pytest.mark.parametrize(
    "files",
    [
        {"a.html": b"<meta name=robots content=noindex>"},
        {"index.html": b"<meta name=robots content='index, follow'><p>noindex"},
        {"a.html": b"<p>Write draft: true at the top.</p>"},
        {"a.md": b"---\ndraft: false\n---\n"},
        {"a.html": b"<p>Open http://localhost:8000 in a browser.</p><code>localhost</code>"},
        {"a.html": b'<a href="https://localhost.example.com/">'},
        {"a.html": "Grüße, naïve café, “quoted” – 日本語 الصفحة 🎉 √π ≈ 1,77 SÃO PAULO".encode()},
        {"a.bin": b"\xff\xfe", "b.css": b"a{}"},
        {"a.html": b"a" * (proofreading.READ_WITHIN - 1) + "ü".encode()},
    ],
)
def test_what_is_not_said(tmp_path, files):
    assert warnings(tmp_path, files) == ()


def test_the_first_files_are_named(tmp_path):
    bad = "GrÃ¼ÃŸe".encode()
    (sentence,) = warnings(tmp_path, {f"{name}.html": bad for name in "edcba"})
    assert "“a.html”, “b.html”, “c.html” and 2 more" in sentence


def test_the_look_is_bounded_and_begins_with_the_start_page(tmp_path, monkeypatch):
    monkeypatch.setattr(proofreading, "MOST_PAGES", 2)
    bad = "GrÃ¼ÃŸe".encode()
    sentences = warnings(tmp_path, dict.fromkeys(["a.html", "b.html", "index.html"], bad))
    assert "are in “index.html”, “a.html”; save" in sentences[0]


# Three letters or more: two characters that could be one misread are in formulas too.
letters = st.text(st.sampled_from("äöüßéèñçàâłğ日本語привет🎉"), min_size=3)
# Not after “â”: “â––” is what “▖” is misread as.
word_ends = st.builds(
    str.__add__,
    st.text(st.sampled_from("äöüßéèñçà"), min_size=1),
    st.text(st.sampled_from("’“”–…€"), min_size=1),
)


@example("é…”")
@given(word_ends)
def test_a_letter_before_dots_dashes_and_quotes_is_not_misread(text):
    assert not is_double_encoded(f"“caf{text} he said")


@given(letters, st.sampled_from(["cp1252", "latin-1", "mac_roman"]))
def test_what_was_misread_is_found_and_what_was_not_is_not(text, encoding):
    assert not is_double_encoded(text)
    misread = text.encode().decode(encoding, "ignore")
    if misread.encode(encoding) == text.encode():
        assert is_double_encoded(f"<p>{misread}</p>")
