"""One address for each page: the router's answers under each policy, in the real engine."""

from __future__ import annotations

import re
from functools import cache
from typing import Any
from urllib.parse import quote, unquote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from deployments.edge.edge_index import Index, append, head
from localcloud.function_runtime import FunctionRuntime
from tests.deployments.test_router import CODE, FILES, request

POLICIES = {"auto": "", "always": "a", "never": "n"}
# What is served, "-> /address" where the visitor is sent, or 404.
ANSWERS = """
address                   auto                   always                 never
/                         index.html             index.html             index.html
/index.html               index.html             -> /                   -> /
/index                    index.html             -> /                   -> /
/index/                   -> /                   -> /                   -> /
/index.html/              404                    404                    404
/about                    about.html             -> /about/             about.html
/about/                   -> /about              about.html             -> /about
/about.html               about.html             -> /about/             -> /about
/about.html/              404                    404                    404
/about/index.html         404                    404                    404
/about/index              404                    404                    404
/about//                  404                    404                    404
/About                    404                    404                    404
/blog                     -> /blog/              -> /blog/              blog/index.html
/blog/                    blog/index.html        blog/index.html        -> /blog
/blog/index.html          blog/index.html        -> /blog/              -> /blog
/blog/index               blog/index.html        -> /blog/              -> /blog
/blog/index/              -> /blog/              -> /blog/              -> /blog
/blog.html                404                    404                    404
/blog//                   404                    404                    404
/blog//index.html         404                    404                    404
/both                     both.html              -> /both/              both.html
/both/                    both/index.html        both/index.html        -> /both
/both.html                both.html              both.html              -> /both
/both/index.html          both/index.html        -> /both/              both/index.html
/both/index               both/index.html        -> /both/              -> /both/index.html
/both/index/              -> /both/              -> /both/              -> /both/index.html
/LICENSE                  LICENSE                LICENSE                LICENSE
/LICENSE/                 -> /LICENSE.html       LICENSE.html           -> /LICENSE.html
/LICENSE.html             LICENSE.html           -> /LICENSE/           LICENSE.html
/docs                     404                    404                    404
/docs/                    404                    404                    404
/docs/v1.2                -> /docs/v1.2/         -> /docs/v1.2/         docs/v1.2/index.html
/docs/v1.2/               docs/v1.2/index.html   docs/v1.2/index.html   -> /docs/v1.2
/docs/v1.2/index.html     docs/v1.2/index.html   -> /docs/v1.2/         -> /docs/v1.2
/v1.2                     v1.2.html              -> /v1.2/              v1.2.html
/v1.2/                    -> /v1.2               v1.2.html              -> /v1.2
/v1.2.html                v1.2.html              -> /v1.2/              -> /v1.2
/app.js                   app.js                 app.js                 app.js
/app.js/                  404                    404                    404
/app                      404                    404                    404
/app/                     404                    404                    404
/404                      404.html               -> /404/               404.html
/404.html                 404.html               -> /404/               -> /404
/a%20b                    a b.html               -> /a%20b/             a b.html
/a%20b/                   -> /a%20b              a b.html               -> /a%20b
/a%20b.html               a b.html               -> /a%20b/             -> /a%20b
/plus+plus.txt            plus+plus.txt          plus+plus.txt          plus+plus.txt
/plus+plus.txt/           404                    404                    404
/100%25.txt               100%.txt               100%.txt               100%.txt
/what%3F.txt              what?.txt              what?.txt              what?.txt
/%C3%A7%C3%A9dille        404                    404                    404
/deep/er/est/page         deep/er/est/page.html  -> /deep/er/est/page/  deep/er/est/page.html
/deep/er/est/page/        -> /deep/er/est/page   deep/er/est/page.html  -> /deep/er/est/page
/deep/er/est/page.html    deep/er/est/page.html  -> /deep/er/est/page/  -> /deep/er/est/page
/deep/er/est              404                    404                    404
/deep/er/est/             404                    404                    404
/nothing                  404                    404                    404
/nothing/                 404                    404                    404
/nothing.html             404                    404                    404
/nothing/index.html       404                    404                    404
/nothing.js               404                    404                    404
//                        404                    404                    404
//example.org             404                    404                    404
//example.org/            404                    404                    404
//about                   404                    404                    404
//about/                  404                    404                    404
/%2F                      404                    404                    404
/%2Fexample.org/          404                    404                    404
/./about                  404                    404                    404
/blog/../about/           404                    404                    404
/.well-known/assetlinks.json   .well-known/assetlinks.json   .well-known/assetlinks.json   \
.well-known/assetlinks.json
"""
HEADER, *ROWS = [re.split(r" {2,}", line.strip()) for line in ANSWERS.strip().splitlines()]
CASES = [
    (row[0], policy, row[HEADER.index(policy)])
    for row in ROWS
    for policy in HEADER
    if policy in POLICIES
]


@cache
def router(flags: str, files: tuple[str, ...] = tuple(FILES)) -> FunctionRuntime:
    hashes = {path: str(n).rjust(22, "x") for n, path in enumerate(files)}
    change = append(Index(), 12, hashes)
    store = {**change.puts, "h:example.com": head(12, change.index, flags)}
    return FunctionRuntime(CODE, store)


def ask(runtime: FunctionRuntime, uri: str) -> dict[str, Any]:
    return runtime.run({"version": "1.0", "request": request(uri)})


def said(answer: dict[str, Any]) -> str:
    """In the words of the table."""
    if "statusCode" in answer:
        assert answer["statusCode"] == 301
        return f"-> {answer['headers']['location']['value']}"
    if answer["uri"].startswith("/missing/"):
        return "404"
    return unquote(answer["uri"].split("/", 3)[3])


def test_the_table_is_worth_its_name():
    assert len(ROWS) >= 60
    assert all(len(row) == len(HEADER) for row in ROWS)


@pytest.mark.parametrize(("uri", "policy", "expected"), CASES)
def test_an_address_is_answered_as_the_policy_says(uri, policy, expected):
    assert said(ask(router(POLICIES[policy]), uri)) == expected


@pytest.mark.parametrize("flags", ["a", "n"])
def test_a_redirect_keeps_the_query_and_is_not_kept_by_browsers(flags):
    response = ask(router(flags), "/about.html?q=a%20b&flag")
    location = response["headers"]["location"]["value"]
    assert location == ("/about/" if flags == "a" else "/about") + "?q=a%20b&flag"
    assert response["headers"]["cache-control"]["value"] == "no-cache"


@pytest.mark.parametrize("flags", ["s", "sa", "sn"])
@pytest.mark.parametrize("uri", ["/users/7", "/users/7/", "/about//"])
def test_the_pages_of_an_application_have_the_slash_that_it_gave_them(flags, uri):
    assert said(ask(router(flags), uri)) == "index.html"


SEGMENTS = st.sampled_from(
    ["", "about", "index", "index.html", "both", "a.html", ".html", "%2F", "x"]
)
PATHS = st.lists(SEGMENTS, min_size=1, max_size=4).map("/".join)
TREES = st.frozensets(
    st.lists(
        st.sampled_from(["about", "both", "index", "x", ".html", "a.html", "index.html"]),
        min_size=1,
        max_size=3,
    ).map("/".join)
    | st.sampled_from(
        ["about.html", "about/index.html", "both.html", "x.html", "index/index.html"]
    ),
    max_size=6,
)
FLAGS = st.sampled_from(["", "a", "n", "s", "sa", "sn"])


@given(tree=TREES, path=PATHS, flags=FLAGS)
@example(tree=frozenset({".html"}), path="", flags="a")
@example(tree=frozenset({"about/.html"}), path="about/.html", flags="a")
def test_following_redirects_ends_on_the_same_host(tree, path, flags):
    runtime, uri = router(flags, tuple(sorted(tree))), "/" + path
    for _ in range(2):
        answer = said(ask(runtime, uri))
        if not answer.startswith("-> "):
            break
        uri = answer.removeprefix("-> ")
        assert re.match(r"/(?![/\\])", uri)
    assert answer == "404" or answer in tree


@given(tree=TREES, flags=FLAGS)
def test_every_file_is_served_at_its_name_or_where_its_name_leads(tree, flags):
    runtime = router(flags, tuple(sorted(tree)))
    for file in tree:
        answer = said(ask(runtime, "/" + quote(file)))
        if answer.startswith("-> "):
            answer = said(ask(runtime, answer.removeprefix("-> ")))
        assert answer == file


@given(tree=TREES, flags=st.sampled_from(["a", "n"]), path=PATHS)
def test_with_a_policy_a_page_is_served_at_one_address(tree, flags, path):
    runtime = router(flags, tuple(sorted(tree)))
    served = said(ask(runtime, "/" + path))
    if served in tree:
        named = said(ask(runtime, "/" + quote(served)))
        assert unquote("/" + path) == unquote(
            named.removeprefix("-> ") if "->" in named else "/" + served
        )
