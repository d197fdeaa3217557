"""Redirect rules at the edge: the real router, in the real engine, against a plain reading."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import Any
from urllib.parse import quote, unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployments.edge import edge_rules
from deployments.edge.edge_index import MAX_VALUE, Index, append, head
from deployments.edge.edge_rules import RuleSet, RulesRefused
from deployments.rule_files.redirects import Redirect, parse
from tests.deployments.test_router import answer, request, with_fields

FILES = ("index.html", "404.html", "a.html", "b/index.html", "b/c.txt", "app.js", "x y.html")
HASHES = {path: str(n).rjust(22, "x") for n, path in enumerate(FILES)}


def store(ruleset: RuleSet, flags: str = "") -> dict[str, str]:
    change = append(Index(), 12, HASHES)
    value = with_fields(head(12, change.index, flags), q=ruleset.head)
    return {**change.puts, **ruleset.puts, "h:example.com": value}


def told(text: str, uri: str, flags: str = "", **more: Any) -> str:
    """What the router says to an address under the rules of a ``_redirects``."""
    return said(
        answer(store(edge_rules.rules(parse(text)), flags), request(uri, **more)),
    )


def said(response: dict[str, Any]) -> str:
    """``301 /where``, ``404 file`` for a page with a status, the file, or ``missing``."""
    if "statusCode" in response:
        return f"{response['statusCode']} {response['headers']['location']['value']}"
    if response["uri"].startswith("/missing/"):
        return "missing"
    status = response["headers"].get("x-cloudadmin-status")
    file = unquote(response["uri"].split("/", 3)[3])
    return f"{status['value']} {file}" if status else file


TOLD = [
    ("/old /a", "/old", "301 /a"),
    ("/old /a", "/old/", "301 /a"),
    ("/old /a", "/Old", "missing"),
    ("/old /a 302", "/old", "302 /a"),
    ("/old /a 308", "/old", "308 /a"),
    ("/old https://example.org/x?y=1#z", "/old", "301 https://example.org/x?y=1#z"),
    ("/old /ü", "/old", "301 /%C3%BC"),
    ("/%C3%BC /a", "/%C3%BC", "301 /a"),
    ("/%C3%BC /a", "/ü", "301 /a"),
    ("/x%20z /a", "/x%20z", "301 /a"),
    ("/a /b", "/a", "a.html"),
    ("/a /b 301!", "/a", "301 /b"),
    ("/a.html /b 301!", "/a", "a.html"),
    ("/news/* /b/:splat", "/news/1/2", "301 /b/1/2"),
    ("/news/* /b/:splat", "/news", "301 /b/"),
    ("/news/* /b/:splat", "/news/", "301 /b/"),
    ("/news/* /b/:splat", "/newspaper", "missing"),
    ("/news/* /b/:splat", "/news/%2F/evil", "301 /b///evil"),
    ("/go/* /:splat", "/go//example.org/", "301 /example.org"),
    ("/go/* /:splat", "/go/%2Fexample.org/", "301 /example.org"),
    ("/go/* /:splat", "/go/%5Cexample.org/", "301 /%5Cexample.org"),
    ("/* /b 302", "/nothing", "302 /b"),
    ("/* /b 302", "/", "index.html"),
    ("/:year/:slug /p?y=:year&s=:slug", "/2026/h%C3%A9", "301 /p?y=2026&s=h%C3%A9"),
    ("/:year/:slug /p", "/2026", "missing"),
    ("/:year/:slug /p", "/2026/", "missing"),
    ("/t/:constructor /:constructor", "/t/1", "301 /1"),
    ("/__proto__ /a", "/__proto__", "301 /a"),
    ("/:a /constructor", "/__proto__", "301 /constructor"),
    ("/one /two\n/one /three", "/one", "301 /two"),
    ("/:x /two\n/one /three", "/one", "301 /two"),
    ("/one /three\n/:x /two", "/one", "301 /three"),
    # The first that matches wins, also when a file wins over it.
    ("/a /one\n/a /two 301!", "/a", "a.html"),
    ("/z/* /z/9\n/z/* /a", "/z/9", "301 /a"),
    # Pages of other addresses.
    ("/alias /a 200", "/alias", "a.html"),
    ("/alias/* /b/:splat 200", "/alias/c.txt", "b/c.txt"),
    ("/alias/* /b/:splat 200", "/alias/", "b/index.html"),
    ("/alias/* /b/:splat 200", "/alias/no", "missing"),
    ("/spaced /x%20y.html 200", "/spaced", "x y.html"),
    ("/* /index.html 200", "/deep/er", "index.html"),
    ("/* /index.html 200", "/app.js", "app.js"),
    ("/api/* 200\n/* /index.html 200", "/api/x", "missing"),
    ("/gone /404.html 404", "/gone", "404 404.html"),
    ("/gone /404.html 410", "/gone", "410 404.html"),
    ("/b/* /404 404!", "/b/c.txt", "404 404.html"),
]


@pytest.mark.parametrize(("text", "uri", "expected"), TOLD)
def test_an_address_is_answered_as_the_rules_say(text, uri, expected):
    assert told(text, uri) == expected


QUERIES = [
    ("/s /t", "?a=1&b", "301 /t?a=1&b"),
    ("/s /t?x=1", "?a=1", "301 /t?x=1"),
    ("/s /t#x", "?a=1", "301 /t#x"),
    ("/s id=:id /t/:id", "?id=7", "301 /t/7"),
    ("/s id=:id /t/:id", "?id=a%20b+c%2Fd", "301 /t/a%20b%20c/d"),
    ("/s id=:id /t/:id", "?id=7&more=1", "301 /t/7"),
    ("/s id=:id /t/:id", "?id=", "missing"),
    ("/s id=:id /t/:id", "?id=%", "missing"),
    ("/s id=:id /t/:id", "", "missing"),
    ("/s id=7 /t", "?id=7", "301 /t"),
    ("/s id=7 /t", "?id=8", "missing"),
    ("/s id=7 /t\n/s /u", "?id=8", "301 /u?id=8"),
    ("/s __proto__=1 /t", "", "missing"),
]


@pytest.mark.parametrize(("text", "query", "expected"), QUERIES)
def test_queries_are_matched_or_passed_on(text, query, expected):
    assert told(text, "/s" + query) == expected


CONDITIONS = [
    ("/ /de 302! Country=at,de", {"cloudfront-viewer-country": "AT"}, "302 /de"),
    ("/ /de 302! Country=at,de", {"cloudfront-viewer-country": "CH"}, "index.html"),
    ("/ /de 302! Country=at,de", {}, "index.html"),
    ("/ /de 302! Language=de", {"accept-language": "de"}, "302 /de"),
    ("/ /de 302! Language=de", {"accept-language": "de-AT, en;q=0.5"}, "302 /de"),
    ("/ /de 302! Language=de-at", {"accept-language": "de"}, "index.html"),
    ("/ /de 302! Language=de", {"accept-language": "den"}, "index.html"),
    ("/ /de 302! Language=de", {"accept-language": "en,de;q=0.9"}, "index.html"),
    ("/ /de 302! Language=de", {"accept-language": "*"}, "index.html"),
    ("/ /x 302! Language=de Country=at", {"accept-language": "de"}, "index.html"),
    (
        "/ /x 302! Language=de Country=at",
        {"accept-language": "de", "cloudfront-viewer-country": "AT"},
        "302 /x",
    ),
]


@pytest.mark.parametrize(("text", "headers", "expected"), CONDITIONS)
def test_country_and_language_decide(text, headers, expected):
    assert told(text, "/", headers=headers) == expected


def test_rules_come_before_the_page_of_an_application():
    assert told("/old /a", "/old", flags="s") == "301 /a"
    assert told("/old /a", "/new", flags="s") == "index.html"
    assert told("/old /gone 404", "/old", flags="s") == "missing"


def test_a_redirect_is_not_kept_by_browsers():
    response = answer(store(edge_rules.rules(parse("/old /a"))), request("/old"))
    assert response["headers"]["cache-control"]["value"] == "no-cache"


def test_a_visitor_does_not_choose_the_status():
    headers = {"x-cloudadmin-status": {"value": "404"}}
    asked = request("/")
    asked["headers"] |= headers
    assert "x-cloudadmin-status" not in answer(store(RuleSet()), asked)["headers"]


def test_without_rules_there_is_nothing_to_say():
    assert edge_rules.rules([]) == RuleSet("", {}, "")


def test_a_set_is_named_by_what_is_in_it():
    one, same, other = (edge_rules.rules(parse(f"/a {to}")) for to in ("/b", "/b", "/c"))
    assert one == same
    assert one.name != other.name
    assert not one.puts.keys() & other.puts.keys()


def test_rules_that_have_not_arrived_send_nobody_anywhere():
    ruleset = edge_rules.rules(parse("/old /a\n/x/* /a"))
    assert said(answer(store(RuleSet("", {}, ruleset.head)), request("/old"))) == "missing"


def test_thousands_of_exact_rules_take_one_read():
    ruleset = edge_rules.rules(Redirect(f"/old/{n}", f"/new/{n}") for n in range(2_000))
    assert max(len(value.encode()) for value in ruleset.puts.values()) <= MAX_VALUE
    reads: list[str] = []

    class Counted(dict[str, str]):
        def get(self, key: str, default: Any = None) -> Any:
            reads.append(key)
            return super().get(key, default)

    assert said(answer(Counted(store(ruleset)), request("/old/77"))) == "301 /new/77"
    assert sum(key.startswith("q:") for key in reads) == 1


def test_too_many_rules_are_refused_with_numbers():
    with pytest.raises(RulesRefused, match=r"There are 300 .* of which \d+ fit into the 8 KB"):
        edge_rules.rules(Redirect(f"/old/{n}/*", f"/new/{n}/:splat") for n in range(300))
    with pytest.raises(RulesRefused, match=r"9,000 rules take [\d,]+ bytes .* of 200,000"):
        edge_rules.rules(Redirect(f"/old/{n}", f"/new/{n}") for n in range(9_000))
    with pytest.raises(RulesRefused, match=r"“/x{600}” takes"):
        edge_rules.rules([Redirect("/" + "x" * 600, "/" + "y" * 600)])


# A plain reading of the rules.
WORDS = st.sampled_from(["a", "b", "c.txt", "x y", "é", "constructor", "b.html"])
NAMES = st.sampled_from([":one", ":two"])
PATHS = st.lists(WORDS | st.sampled_from(["", "index", "%2F"]), max_size=4).map(
    lambda words: "/" + "/".join(word if word == "%2F" else quote(word) for word in words)
)


@st.composite
def redirects(draw: st.DrawFn) -> Redirect:
    parts = draw(st.lists(WORDS | NAMES, max_size=3, unique=True))
    is_open = draw(st.booleans())
    query = draw(st.sampled_from([{}, {}, {"id": ":id"}, {"id": "7"}]))
    status = draw(st.sampled_from([301, 302, 200, 404]))
    names = [part for part in parts if part.startswith(":")]
    names += [":splat"] * is_open + [":id"] * (query == {"id": ":id"})
    target = draw(st.lists(WORDS | st.sampled_from([*names, "a"]), max_size=3))
    return Redirect(
        "/" + "/".join([*parts, *["*"] * is_open]),
        "/" + "/".join(part if part in names else quote(part) for part in target),
        status,
        draw(st.booleans()),
        query,
        draw(st.sampled_from([{}, {}, {"country": ("AT", "DE")}])),
    )


def expected(rules: Sequence[Redirect], uri: str, query: str, country: str) -> str:
    path = unquote(uri[1:])
    plainly = said(answer(store(RuleSet()), request(uri + query)))
    for rule in rules:
        values = matching(rule, path.removesuffix("/"), query, country)
        if values is None:
            continue
        goal = filled(rule.target, {name: quote(v, safe=SAFE) for name, v in values.items()})
        moves = rule.status in (301, 302)
        if moves and unquote(goal[1:].removesuffix("/")) == path.removesuffix("/"):
            continue
        if plainly != "missing" and not rule.force:
            return plainly
        if moves:
            goal = re.sub("^/+", "/", goal)
            return f"{rule.status} {goal}" + ("" if rule.query else query)
        return page(filled(unquote(rule.target), values).lstrip("/"), rule.status)
    return plainly


SAFE = "/!'()*~"  # as encodeURIComponent has it


def matching(rule: Redirect, path: str, query: str, country: str) -> dict[str, str] | None:
    pattern, names = "", []
    for part in rule.source.split("/")[1:]:
        if part == "*":
            pattern += "(?:/(.*))?"
        elif part.startswith(":"):
            pattern += "/([^/]+)"
        else:
            pattern += "/" + re.escape(part)
        names += [":splat" if part == "*" else part] if part[:1] in (":", "*") else []
    found = re.fullmatch(pattern or "/", "/" + path, re.DOTALL)
    if found is None or (rule.conditions and country not in rule.conditions["country"]):
        return None
    values = {name: value or "" for name, value in zip(names, found.groups(), strict=True)}
    given = dict(pair.split("=") for pair in query[1:].split("&") if pair)
    for name, wanted in rule.query.items():
        if not given.get(name) or (not wanted.startswith(":") and given[name] != wanted):
            return None
        values[wanted] = given[name]
    return values


def filled(target: str, values: dict[str, str]) -> str:
    return re.sub(r":[A-Za-z_]\w*", lambda found: values.get(found[0], found[0]), target)


@cache
def page(path: str, status: int) -> str:
    """The file that a path means, without rules, and whether it has a status of its own."""
    options = [f"{path}index.html", f"{path[:-1]}.html"] if path.endswith("/") else [path]
    options += [] if path.endswith("/") else [f"{path}.html", f"{path}/index.html"]
    file = next((each for each in (options if path else ["index.html"]) if each in FILES), None)
    if file is None:
        return "missing"
    return f"{status} {file}" if status != 200 else file


@given(
    rules=st.lists(redirects(), max_size=8),
    uri=PATHS,
    query=st.sampled_from(["", "?id=7", "?id=x&more=1"]),
    country=st.sampled_from(["AT", "CH"]),
)
def test_the_router_follows_the_rules_as_they_are_read(rules, uri, query, country):
    asked = request(uri + query, headers={"cloudfront-viewer-country": country})
    response = answer(store(edge_rules.rules(rules)), asked)
    assert said(response) == expected(rules, uri, query, country)
