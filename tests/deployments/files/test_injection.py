"""The snippet in pages: at the right place, once, and nothing else becomes another."""

import hashlib
import time
from html.parser import HTMLParser

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from deployments.files import stat_cache
from deployments.files.injection import CHANGES, LARGEST, SNIPPET, inject, is_page
from deployments.manifest import build

S = SNIPPET.decode()
META = '<meta name="description" content="The <iframe> element explained">'
PIECES = [
    "<!doctype html>",
    "<HTML lang=de>",
    "<head>",
    "<title>a </body> b</title>",
    "<title-bar>",
    "<body class='a>b'>",
    "<p>Grüß Gott",
    "</Body >",
    "</html>",
    "</html\n>",
    "\r\n",
    "<!-- </body> -->",
    "<!-->",
    "<!--->",
    "<!--",
    "-->",
    "<script>'</body>'</script>",
    "<script src=/a.js></SCRIPT >",
    "<script",
    "<script >",
    "<style>",
    "</style>",
    "<textarea></body></textarea>",
    "<noscript><!-- </noscript>",
    "<a title='",
    '\' ="<!--">',
    '</p class="<iframe>">',
    "<",
    "</",
    '<a href="',
    ">",
    '<iframe srcdoc="</body>"></iframe>',
    S,
]
# What Python's parser understands as browsers do.
CLOSED = [
    *PIECES[: PIECES.index("<!-->")],
    "<script src=/a.js></SCRIPT >",
    '<META NAME=description content="The <IFRAME> element">',
    "<img alt='<!-- \"'>",
    '<a title="<script>" href=/x?y=">z</a>',
    '<p title = "</body>" class=">">',
    "<input value='<textarea>'/>",
    "<br/>",
]
DOCUMENT = b"<!doctype html><title>x</title><p>y"


class Scripts(HTMLParser):
    """Sources of the scripts that a browser would run, and all tags."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.sources: list[str | None] = []
        self.tags: list[tuple[str, object]] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, attrs))
        if tag == "script":
            self.sources.append(dict(attrs).get("src"))

    def handle_endtag(self, tag: str) -> None:
        self.tags.append((tag, None))


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        ("<html><body>a</body></html>\n", f"<html><body>a{S}</body></html>\n"),
        ("<HTML><BODY>a</BODY\n></HTML>", f"<HTML><BODY>a{S}</BODY\n></HTML>"),
        ("<html>a</html>", f"<html>a{S}</html>"),
        ("<!DOCTYPE  html><p>a\n", f"<!DOCTYPE  html><p>a\n{S}"),
        ("\ufeff<?xml version='1.0'?><html>", f"\ufeff<?xml version='1.0'?><html>{S}"),
        ("<body>a</body>b<!--</body>-->", f"<body>a{S}</body>b<!--</body>-->"),
        ("<body><script>'</body>'</script>", f"<body><script>'</body>'</script>{S}"),
        ("<body><title-bar></body>", f"<body><title-bar>{S}</body>"),
        ("<body>a<!-- no end </body>", f"<body>a{S}<!-- no end </body>"),
        ("<body>a<script>no end </body>", f"<body>a{S}<script>no end </body>"),
        ("<body>a<img src=x", f"<body>a{S}<img src=x"),
        (f"<html><head>{META}<title>t</title></head><body>a</body></html>",)
        + (f"<html><head>{META}<title>t</title></head><body>a{S}</body></html>",),
        ("<body><a title='<!--' x>a</a></BODY>", f"<body><a title='<!--' x>a</a>{S}</BODY>"),
        ('<body><IMG ALT="<SCRIPT>"></body>', f'<body><IMG ALT="<SCRIPT>">{S}</body>'),
        ("<body><p title='</body>'>", f"<body><p title='</body>'>{S}"),
        ("<body></p class='<style>'></body>", f"<body></p class='<style>'>{S}</body>"),
        ("<body></script x='</body>'>", f"<body></script x='</body>'>{S}"),
        ("<body><p x=a\"<i y'></body>", f"<body><p x=a\"<i y'>{S}</body>"),
        ("<body><p ='><style>b</body>", f"<body><p ='>{S}<style>b</body>"),
        ("<body>a<p title='><i></body>", f"<body>a{S}<p title='><i></body>"),
        ("<body><p title='><i x='></body>", f"<body><p title='><i x='>{S}</body>"),
        ("<body>a<style>b</style x='></body>", f"<body>a{S}<style>b</style x='></body>"),
        ("<body><noscript><!--</noscript></body>", f"<body><noscript><!--</noscript>{S}</body>"),
        ("<body><textarea><!-- <script> --></textarea>",)
        + (f"<body><textarea><!-- <script> --></textarea>{S}",),
        ("<html><frameset><frame></frameset></html>",)
        + (f"<html><frameset><frame></frameset>{S}</html>",),
        ("<html><!--<script src=/_cloudadmin/visits.js></script>--></html>",)
        + (f"<html><!--<script src=/_cloudadmin/visits.js></script>-->{S}</html>",),
    ],
)
def test_it_comes_at_the_end_of_the_body(page, expected):
    assert inject(page.encode()).decode() == expected


@pytest.mark.parametrize(
    "page",
    [
        "",
        "plain text",
        "<p>a part of a page</p>",
        "<table><thead></thead></table><header></header><!-- <html> -->",
        "<p title='<html>'>",
        "<html",
        "<!doctype html",
        f"<html>{S}</html>",
        "<html><SCRIPT async SRC = '/_cloudadmin/visits.js?v=1'></SCRIPT></html>",
        "<html><script src=/_cloudadmin/visits.js></script></html>",
        '<html><script src="https://example.com/_cloudadmin/visits.js"></script></html>',
        "<html><script data-x='>' src=/_cloudadmin/visits.js></script></html>",
        # A browser ends the script at the second one.
        "<html><script>'<!--<script></script><iframe>'</script></html>",
    ],
)
def test_a_part_of_a_page_and_a_page_that_has_it_stay(page):
    assert inject(page.encode()) == page.encode()


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_utf_16_stays(encoding):
    page = "<html><body>ü</body></html>".encode(encoding)
    assert inject(page) == page


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("utf-8", "Grüß Gott 日本 😀"),
        ("windows-1252", "Grüß Gott"),
        ("iso-8859-2", "Zażółć"),
        ("koi8-r", "Привет"),
        ("shift_jis", "ソ表日本"),
        ("euc-jp", "日本"),
        ("iso-2022-jp", "日本"),
        ("iso-2022-jp", "会社<p title='会社い' class=\"車\">実。"),
        ("gb18030", "汉字㐀"),
        ("big5", "功能"),
        ("euc-kr", "한국어"),
    ],
)
def test_an_encoding_of_pages_does_not_matter(encoding, text):
    page = f"<html><body>{text}</body></html>"
    assert inject(page.encode(encoding)).decode(encoding) == page.replace("</b", f"{S}</b")


def assert_holds(page: bytes) -> None:
    """The laws: what there was stays, and a second time changes nothing."""
    done = inject(page)
    added = len(done) - len(page)
    assert added in (0, len(SNIPPET))
    if added:
        start = done.index(SNIPPET) if SNIPPET not in page else None
        places = [start] if start is not None else range(len(done))
        assert any(
            done[at : at + added] == SNIPPET and done[:at] + done[at + added :] == page
            for at in places
        )
    assert inject(done) == done


@given(st.lists(st.sampled_from(PIECES)).map("".join))
@example("<!doctype html><")
@example("<html></")
@example(f"<html><!-- {S} -->")
def test_everything_else_is_unchanged_and_once_is_enough(page):
    assert_holds(page.encode())


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_whatever_the_bytes_are(one, other):
    assert_holds(one + DOCUMENT + other)


@given(st.lists(st.sampled_from(CLOSED)).map("".join))
def test_a_browser_finds_it_once_in_a_document_and_nothing_else_becomes_another(page):
    page = DOCUMENT.decode() + page
    before, after = Scripts(page), Scripts(inject(page.encode()).decode())
    assert after.sources.count("/_cloudadmin/visits.js") == 1
    at = after.tags.index(("script", [("src", "/_cloudadmin/visits.js"), ("defer", None)]))
    assert after.tags[:at] + after.tags[at + 2 :] == before.tags


@pytest.mark.parametrize(
    "piece",
    [b"<", b"<a", b"<!--", b"-->", b"<script", b"<script>", b"<script></script", b"</body>", b"<!"]
    + [b"<a b='", b"<a b='\"", b"<a b = ", b"<script></script ", b"<script a='", b"</a\n\n"],
)
def test_no_page_takes_long(piece):
    """A quadratic one would take hours."""
    page = b"<html>" + piece * ((LARGEST - 100) // len(piece))
    started = time.monotonic()
    assert len(inject(page)) == len(page) + len(SNIPPET)
    assert time.monotonic() - started < 20


def test_a_page_that_is_too_large_stays_and_is_told(tmp_path):
    fits = b"<html>" + b"a" * (LARGEST - len(SNIPPET) - 6)
    assert len(inject(fits)) == LARGEST
    assert inject(fits + b"a") == fits + b"a"
    (tmp_path / "index.html").write_bytes(fits)
    (tmp_path / "large.html").write_bytes(fits + b"a" * 100)
    (tmp_path / "large.bin").write_bytes(fits + b"a" * 100)
    (warning,) = build(tmp_path, injects=True).warnings
    assert "large.html" in warning
    assert S in warning
    assert not build(tmp_path).warnings


def test_what_is_a_page():
    assert is_page("text/html; charset=utf-8")
    assert is_page("Text/HTML")
    assert not is_page("application/xhtml+xml")
    assert not is_page("text/css")


def test_a_manifest_is_of_what_is_sent(tmp_path):
    files = {
        "index.html": b"<html></html>",
        "part.html": b"<p>",
        "page.xhtml": b"<html></html>",
        "page.txt": b"<html></html>",
        "typed": b"<html></html>",
        "_headers": b"/typed\n  Content-Type: text/html\n",
    }
    for path, content in files.items():
        (tmp_path / path).write_bytes(content)
    plain, injected = build(tmp_path), build(tmp_path, injects=True)
    assert (plain.injects, injected.injects) == (False, True)
    changed = {path for path in plain.entries if plain.entries[path] != injected.entries[path]}
    assert changed == {"index.html", "typed"}
    content = inject(files["index.html"])
    for path in changed:
        assert injected.entries[path].sha256 == hashlib.sha256(content).hexdigest()
        assert injected.entries[path].size == len(content)


def test_a_cache_of_one_choice_is_none_of_the_other(tmp_path):
    site, folder = tmp_path / "site", tmp_path / "caches"
    site.mkdir()
    (site / "index.html").write_bytes(b"<html></html>")
    later = time.time_ns() + 60 * 10**9

    def built(*, injects):
        path = stat_cache.of(site, folder, changes=CHANGES if injects else "").path
        cache = stat_cache.StatCache(path, now=later)
        return build(site, cache=cache, injects=injects)

    plain, injected = built(injects=False), built(injects=True)
    assert plain != injected
    # From the cache this time, with the size of what is sent.
    assert (built(injects=False), built(injects=True)) == (plain, injected)
    assert injected == build(site, injects=True)
