"""Netlify's _redirects: followed as it is documented, or refused by line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployments.rule_files.redirects import STATUSES, Redirect, parse
from deployments.source import SourceRefused

FOLLOWED = {
    "/home /": Redirect("/home", "/"),
    "  /home\t/  301  # where it was": Redirect("/home", "/"),
    "/about/ /company": Redirect("/about", "/company"),
    "/blog/* /news/:splat 302": Redirect("/blog/*", "/news/:splat", 302),
    "/news/:y/:m/:slug /:y-:m/:slug.html": Redirect("/news/:y/:m/:slug", "/:y-:m/:slug.html"),
    "/old https://example.com:8080/new?a=b#top 307": Redirect(
        "/old", "https://example.com:8080/new?a=b#top", 307
    ),
    "/search/* https://find.example.com/?q=:splat 303": Redirect(
        "/search/*", "https://find.example.com/?q=:splat", 303
    ),
    "/store id=:id /shop/:id 308": Redirect("/store", "/shop/:id", 308, query={"id": ":id"}),
    "/a tag=x%20y id=:id /b/:id": Redirect("/a", "/b/:id", query={"tag": "x y", "id": ":id"}),
    "/ /at/ 302! Country=at,DE Language=de,pt-BR": Redirect(
        "/",
        "/at/",
        302,
        force=True,
        conditions={"country": ("AT", "DE"), "language": ("de", "pt-br")},
    ),
    "/* /index.html 200": Redirect("/*", "/index.html", 200),
    "/* / 301": Redirect("/*", "/"),
    "/app/* 200": Redirect("/app/*", "/app/:splat", 200),
    "/app /app.html?v=1 200!": Redirect("/app", "/app.html", 200, force=True),
    "/en/* /en/404.html 404": Redirect("/en/*", "/en/404.html", 404),
    "/gone /gone.html 410": Redirect("/gone", "/gone.html", 410),
    "/caf%C3%A9/ü /öl": Redirect("/café/ü", "/%C3%B6l"),
    "/to/data /data/x.json 302": Redirect("/to/data", "/data/x.json", 302),
    "/a /a?from=a": Redirect("/a", "/a?from=a"),
    "/time/12:30 /noon": Redirect("/time/12:30", "/noon"),
}
REFUSED = {
    "/a": "no target",
    "/a 301": "no target",
    "/a/* 301": "no target",
    "a /b": "write “/a”",
    "/a b": "no target",
    "https://old.example.com/* https://example.com/:splat 301!": "--redirect old.example.com",
    "/api/* https://api.example.com/:splat 200": "302",
    "/a https://example.com/ 404": "write its path",
    "/a /b 299": "the status 299 is not one of 200, 301, 302, 303, 307, 308, 404 or 410",
    "/a /b permanent": "where the status does",
    "/a /b Country=at": "before it",
    "/a /b 302 Country=Austria": "is no country",
    "/a /b 302 Language=de;en": "is no language",
    "/a /b 302 Role=admin": "protect_site",
    "/a /b 302 Cookie=beta": "cookies are not looked at",
    "/a /b 200 signed=KEY": "signed",
    "/a /b 302 Mood=good": "is no condition",
    "/jobs/*.html /b": "/news/*",
    "/a/*/b /b": "/news/:year/index",
    "/a* /b": "/news/*",
    "/a /b/*": "written “:splat”",
    "/a?b=c /d": "/store id=:id",
    "/a b /d": "b=:value",
    "/a b=1 b=2 /d": "twice",
    "/a/:1x /b": "is no name",
    "/a/:x/:x /b": "name of its own",
    "/a/:x id=:x /b": "name of its own",
    "/a/:splat /b": "name of its own",
    "/a /b/:c": "“:c” is nothing",
    "/a /b/:splat": "“:splat” is nothing",
    "/%FF /a": "UTF-8",
    "/a%2Fb /a": "match no file",
    "/a\\b /a": "match no file",
    "/a /\\example.com": "a target is a path",
    "/a //example.com": "a target is a path",
    "/:x https://:x/": "the host is to be written out",
    "/* https://example.com:splat": "the host is to be written out",
    "/a https://user@example.com/": "the host is to be written out",
    "/a https:///x": "the host is to be written out",
    "/a /b#c 200": "fragment",
    "/* /:splat": "leads to itself",
    "/about /about/ 301": "--trailing-slash",
    "/* /index.html 301!": "without end",
    "/:page /home 302!": "without end",
    "/de/* /de/neu/:splat 301!": "without end",
    "/data/x /b": "functions",
    "/_cloudadmin/count /b": "counter",
    "/a /data/b 200": "functions",
    "/.netlify/functions/* /b": "Netlify's own",
}


@pytest.mark.parametrize(("line", "expected"), FOLLOWED.items())
def test_a_line_becomes_a_rule(line, expected):
    (rule,) = parse(line)
    assert rule == expected
    assert hash(rule) == hash(expected)


@pytest.mark.parametrize(("line", "why"), REFUSED.items())
def test_a_line_that_cannot_be_followed_is_refused_by_name(line, why):
    with pytest.raises(SourceRefused) as refused:
        parse(f"# rules\n\n{line}\n")
    assert str(refused.value).startswith(f"_redirects, line 3, “{line}”: ")
    assert why in str(refused.value)


def test_rules_keep_their_order_and_comments_and_line_endings_are_passed_over():
    assert parse("# first\r\n/a /b\r\n\r\n   # more\r\n/c /d # said\r\n") == (
        Redirect("/a", "/b"),
        Redirect("/c", "/d"),
    )
    assert parse("") == ()


def test_all_bad_lines_are_told_at_once():
    with pytest.raises(SourceRefused) as refused:
        parse("\n".join(["/ok /fine", *["wrong"] * 12]))
    told = str(refused.value).splitlines()
    assert len(told) == 11
    assert told[0].startswith("_redirects, line 2")
    assert told[-1] == "and 2 lines more in _redirects."


def test_a_refusal_writes_nothing_on_the_terminal():
    with pytest.raises(SourceRefused) as refused:
        parse("/a\x1b[2J" + "x" * 500)
    assert "\x1b" not in str(refused.value)
    assert len(str(refused.value)) < 300


words = st.sampled_from(
    [
        "/",
        "/a",
        "/a/",
        "/:a",
        "/a/*",
        "/*",
        "//",
        "/a?b",
        "/a#b",
        "/é",
        "/%C3%A9",
        "/%2e",
        "/:splat",
        "/b/:a",
        "a=1",
        "a=:a",
        "a",
        ":a",
        "*",
        "!",
        "http://example.com/",
        "https://example.com/:splat//x",
        "https://:a/",
        "200",
        "200!",
        "301",
        "302!",
        "404",
        "999",
        "Country=at",
        "Language=de",
        "Role=x",
        "#",
        "\\",
    ]
)
texts = st.lists(st.lists(words | st.text(max_size=6), max_size=6).map(" ".join), max_size=4)


def outcome(text: str) -> tuple[tuple[Redirect, ...], list[str]]:
    try:
        return parse(text), []
    except SourceRefused as refused:
        return (), str(refused).splitlines()


@given(texts.map("\n".join))
def test_whatever_a_file_says_its_rules_are_safe_or_it_is_refused(text):
    rules, refusals = outcome(text)
    assert all(told.startswith("_redirects, line ") for told in refusals)
    for rule in rules:
        assert rule.status in STATUSES
        assert rule.source.startswith("/")
        assert "//" not in rule.source
        assert rule.source == "/" or not rule.source.endswith("/")
        assert "*" not in rule.source.removesuffix("/*")
        assert rule.target.isascii()
        assert rule.target.isprintable()
        assert " " not in rule.target
        if rule.status in {200, 404, 410} or not rule.target.lower().startswith("http"):
            assert rule.target.startswith("/")
            assert not rule.target.startswith("//")
