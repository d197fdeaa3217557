"""Netlify's _headers: followed as it is documented, or refused by line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployments.rule_files.headers import MAX_METADATA, Applied, parse, to_metadata
from deployments.source import SourceRefused

EXAMPLE = """\
# a path:
/templates/index.html
  # headers for that path:
  X-Frame-Options: DENY
  X-XSS-Protection: 1; mode=block
/*
  cache-control: max-age=0
  Cache-Control: no-cache
  cache-control: must-revalidate
  X-Frame-Options: SAMEORIGIN
/downloads/*.csv
  Content-Type: text/plain
  Content-Disposition: attachment
"""


def test_rules_are_read_and_the_last_of_one_name_counts():
    rules = parse(EXAMPLE.replace("\n", "\r\n"))
    cache_control = "max-age=0, no-cache, must-revalidate"
    assert rules.rules_for("templates/index.html") == Applied(
        cache_control=cache_control,
        headers=(("x-frame-options", "SAMEORIGIN"), ("x-xss-protection", "1; mode=block")),
    )
    assert rules.rules_for("downloads/all/a.csv") == Applied(
        "text/plain",
        cache_control,
        (("content-disposition", "attachment"), ("x-frame-options", "SAMEORIGIN")),
    )


def test_files_with_the_same_rules_share_what_they_get():
    rules = parse(EXAMPLE)
    assert rules.rules_for("a.png") is rules.rules_for("b.png")
    assert parse("").rules_for("a.png") == Applied()


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("/", "index.html", True),
        ("/", "a/index.html", False),
        ("/*", "index.html", True),
        ("/*", "a/b.txt", True),
        ("/about", "about.html", True),
        ("/about", "about/index.html", True),
        ("/about/", "about/index.html", True),
        ("/about.html", "about.html", True),
        ("/about/index.html", "about/index.html", True),
        ("/about", "about/team.html", False),
        ("/blog/*", "blog/index.html", True),
        ("/blog/*", "blog/2024/a.html", True),
        ("/blog/*", "blog.html", True),
        ("/blog/*", "blogs/a.html", False),
        ("/*.js", "app.js", True),
        ("/*.js", "a/b/app.js", True),
        ("/*.js", "app.json", False),
        ("/*.js", "appXjs", False),
        ("/a*/x", "abc/x", True),
        ("/a*/x", "abc/d/x", True),
        ("/*/x.txt", "x.txt", True),
        ("/*/x.txt", "a/b/x.txt", True),
        ("/:year/:slug", "2024/hello.html", True),
        ("/:year/:slug", "2024/08/hello.html", False),
        ("/:year/:slug", "hello.html", False),
        ("/Static/*", "static/a.css", True),
        ("/caf%C3%A9/*", "café/a.css", True),
        ("/a%20b.txt", "a b.txt", True),
        ("/a+b(c).txt", "a+b(c).txt", True),
        ("/12:30.txt", "12:30.txt", True),
        ("/12:30.txt", "12.txt", False),
    ],
)
def test_which_files_a_path_means(pattern, path, matches):
    applied = parse(f"{pattern}\n  X-Here: yes").rules_for(path)
    assert applied.headers == ((("x-here", "yes"),) if matches else ())


REFUSED = {
    "X-Frame-Options: DENY": "no path above it",
    "/a\n  nothing": "neither a path nor a header",
    "/a\n  X-Empty:": "the value is missing",
    "/a\n  : x": "no such name",
    "/a\n  X Y: x": "no such name",
    "/a\n  X-Ü: x": "no such name",
    "/a\n  X-Name: Zoë": "ASCII",
    "/a\n  X-Bell: a\x07b": "ASCII",
    "/a\n  Basic-Auth: me:secret": "protect_site",
    "/a\n  Location: /b": "_redirects",
    "/a\n  Set-Cookie: a=b": "script",
    "/a\n  Content-Encoding: gzip": "compresses by itself",
    "/a\n  content-length: 3": "S3 and CloudFront themselves",
    "/a\n  Connection: close": "S3 and CloudFront themselves",
    "/a\n  X-Amz-Meta-Headers: {}": "S3 and CloudFront themselves",
    "/a\n  X-Edge-Location: x": "S3 and CloudFront themselves",
    "/a\n  Via: x": "S3 and CloudFront themselves",
    "/a\n  Content-Type: html": "media type",
    "/a\n  ! X-Frame-Options": "cannot be detached",
    "https://example.com/a\n  X-A: b": "write the path alone",
    "/a?b=c\n  X-A: b": "no “?”",
    "/a X-A: b": "no spaces",
    "/a%2Fb\n  X-A: b": "match no file",
}


@pytest.mark.parametrize(("text", "why"), REFUSED.items())
def test_a_line_that_cannot_be_followed_is_refused_by_name(text, why):
    with pytest.raises(SourceRefused, match="^_headers, line ") as refused:
        parse(text)
    assert why in str(refused.value)


def test_more_than_s3_keeps_is_refused_with_the_lines_and_the_file():
    rules = parse(f"/*\n  X-A: {'a' * 1500}\n/big/*\n  X-B: {'b' * 700}")
    assert len(to_metadata(rules.rules_for("a").headers)) <= MAX_METADATA
    with pytest.raises(SourceRefused, match=r"lines 1, 3: .*“big/a” 2,219 bytes"):
        rules.rules_for("big/a")


names = st.sampled_from(["a", "b", "ab", "index.html", "a.html", "b.js", "A"])
paths = st.lists(names, min_size=1, max_size=3).map("/".join)
parts = names | st.sampled_from(["*", ":x", "*.js", "a*", "*b*", "*.html"])
patterns = st.lists(parts, max_size=4).map(lambda parts: "/" + "/".join(parts))


@given(st.lists(patterns, max_size=6), st.lists(paths, max_size=6))
def test_the_index_finds_what_looking_at_every_rule_finds(patterns, paths):
    rules = parse("\n".join(f"{pattern}\n  X-{n}: 1" for n, pattern in enumerate(patterns)))
    for path in paths:
        expected = {f"x-{n}" for n, pattern in enumerate(patterns) if means(pattern, path)}
        assert {name for name, _ in rules.rules_for(path).headers} == expected


def means(pattern: str, path: str) -> bool:
    parts = [part for part in pattern.lower().split("/") if part]
    path = path.lower()
    addresses = {f"/{path}", f"/{path.removesuffix('.html')}"}
    if path == "index.html" or path.endswith("/index.html"):
        addresses = {f"/{path}", f"/{path[: -len('index.html')]}".rstrip("/")}
    return any(matches(parts, address) for address in addresses)


def matches(parts: list[str], address: str) -> bool:
    if not parts:
        return not address
    first, *rest = parts
    ends = range(len(address) + 1)
    if first == "*":
        return any((not end or address[0] == "/") and matches(rest, address[end:]) for end in ends)
    return any(
        is_part(first, address[:end]) and matches(rest, address[end:]) for end in ends if end > 1
    )


def is_part(part: str, text: str) -> bool:
    if part.startswith(":"):
        return text[0] == "/" and "/" not in text[1:]
    return text[0] == "/" and is_glob(part, text[1:])


def is_glob(glob: str, text: str) -> bool:
    if not glob:
        return not text
    if glob[0] == "*":
        return any(is_glob(glob[1:], text[n:]) for n in range(len(text) + 1))
    return text[:1] == glob[0] and is_glob(glob[1:], text[1:])
